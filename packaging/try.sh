#!/usr/bin/env bash
# Installs the Debian package on a lab host with apt, as a user does who downloaded it; takes an app with a service from
# `init` to a rollback with it, from there to the same host, by a name that only DNS knows; and removes it again. Prints
# how long the program takes to start.
#   packaging/try.sh PACKAGE bookworm|trixie
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=SCRIPTDIR/../scripts/lib.sh
. scripts/lib.sh
deb=${1:?PACKAGE} suite=${2:?SUITE}

host=$(scripts/lab.sh up "$suite")
trap 'scripts/lab.sh down "$host"' EXIT
root() { scripts/lab.sh ssh "$host" root "$@"; }
name=$(basename "$deb")
root "mkdir -p /srv/downloads && cat >/srv/downloads/$name" <"$deb"
root 'cat >/root/dns.py' <packaging/dns.py
root 'umask 077; cat >/root/key' <"${SHIPIT_LAB_DIR:-/var/cache/shipit-lab}/hosts/$host/id_ed25519"

root sh -eu <<'END'
# The host has no internet, and apt no lists: everything that the package depends on is there.
cd /srv/downloads
apt-get install --yes ./shipit_*.deb >/root/apt 2>&1 || { cat /root/apt; exit 1; }
if grep '^[WE]:' /root/apt; then exit 1; fi
dpkg -L shipit >/root/files
shipit --version
shipit man | grep '^.SH SYNOPSIS' >/dev/null
dpkg -L shipit | grep '/man1/shipit-deploy.1.gz$' >/dev/null
bash -c '. /usr/share/bash-completion/completions/shipit && complete -p shipit' >/dev/null

# A name server of our own: nothing else knows that name.
if getent hosts app.lab.test; then exit 1; fi
printf 'nameserver 127.0.0.1\n' >/root/resolv.conf
mount --bind /root/resolv.conf "$(readlink -f /etc/resolv.conf)"
systemd-run --quiet --unit=dns python3 /root/dns.py app.lab.test
until getent hosts app.lab.test >/dev/null; do systemctl is-active --quiet dns || exit 1; done

fish -c 'complete -C "shipit roll"' | grep '^rollback' >/dev/null

# The first example of the README: an app with a service.
mkdir -p /root/hello/site /root/hello/deploy/units && cd /root/hello
echo first >site/index.html
cat >deploy/units/hello.service <<'UNIT'
[Unit]
Description=hello, from the current release

[Service]
User=www-data
WorkingDirectory=/opt/hello/current
ExecStart=/usr/bin/python3 -m http.server --bind 127.0.0.1 8080
Restart=on-failure

[Install]
WantedBy=multi-user.target
UNIT
answers() { [ "$(curl -sS http://127.0.0.1:8080/)" = "$1" ] || { echo "the app does not answer $1"; exit 1; }; }
shipit init --host deploy@app.lab.test
grep 'unit: hello.service' deploy.yml >/dev/null
shipit up --yes --accept-new -i /root/key --as root@app.lab.test >/dev/null
answers first
echo second >site/index.html
shipit deploy -i /root/key
answers second
shipit rollback -i /root/key
answers first
sed -i 's/app.lab.test/nobody.lab.test/' deploy.yml
status=0
shipit status -i /root/key >/root/said 2>&1 || status=$?
[ "$status" -eq 6 ] && grep -q nobody.lab.test /root/said
cat /root/said

start=$(date +%s%N)
for _ in 1 2 3 4 5 6 7 8 9 10; do shipit --version >/dev/null; done
echo "start: $((($(date +%s%N) - start) / 10000000)) ms on average of 10"

apt-get purge --yes shipit >/root/apt 2>&1 || { cat /root/apt; exit 1; }
if dpkg-query --status shipit >/dev/null 2>&1; then exit 1; fi
while read -r file; do
  # Directories such as /usr/share belong to other packages as well.
  case $file in
    *shipit*) if [ -e "$file" ]; then echo "left: $file"; exit 1; fi ;;
  esac
done </root/files
answers first # what was deployed goes on
END
say "$suite: installed with apt, from init to a rollback, removed"
