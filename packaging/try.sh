#!/usr/bin/env bash
# Installs the Debian package on a lab host, deploys with it from there to the same host, by a name that only DNS knows,
# and removes it again. Prints how long the program takes to start.
#   packaging/try.sh PACKAGE bookworm|trixie
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=SCRIPTDIR/../scripts/lib.sh
. scripts/lib.sh
deb=${1:?PACKAGE} suite=${2:?SUITE}

host=$(scripts/lab.sh up "$suite")
trap 'scripts/lab.sh down "$host"' EXIT
root() { scripts/lab.sh ssh "$host" root "$@"; }
root 'cat >/root/shipit.deb' <"$deb"
root 'cat >/root/dns.py' <packaging/dns.py
root 'umask 077; cat >/root/key' <"${SHIPIT_LAB_DIR:-/var/cache/shipit-lab}/hosts/$host/id_ed25519"

root sh -eu <<'END'
dpkg -i /root/shipit.deb >/dev/null
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

mkdir -p /root/hello && cd /root/hello
echo first >index.html
shipit init --app hello --host deploy@app.lab.test
shipit setup --yes --accept-new -i /root/key --as root@app.lab.test >/dev/null
shipit deploy -i /root/key
echo second >index.html
shipit deploy -i /root/key
[ "$(cat /opt/hello/current/index.html)" = second ]
shipit rollback -i /root/key
[ "$(cat /opt/hello/current/index.html)" = first ]
sed -i 's/app.lab.test/nobody.lab.test/' deploy.yml
status=0
shipit status -i /root/key >/root/said 2>&1 || status=$?
[ "$status" -eq 6 ] && grep -q nobody.lab.test /root/said
cat /root/said

start=$(date +%s%N)
for _ in 1 2 3 4 5 6 7 8 9 10; do shipit --version >/dev/null; done
echo "start: $((($(date +%s%N) - start) / 10000000)) ms on average of 10"

dpkg --purge shipit >/dev/null
[ ! -e /usr/bin/shipit ]
[ ! -e /usr/share/doc/shipit ]
END
say "$suite: installed, deployed, rolled back, removed"
