#!/usr/bin/env bash
# shipit in a minute, on a real Debian host that is booted for it and gone afterwards: setup, a first deploy, a second
# one under load by handover, a broken one that the host reverts by itself, a rollback. Prints after each how many
# requests failed, and leaves the timeline of each as HTML in target/demo.
# Needs a Debian with Rust and gcc, and root or sudo; installs what else it needs.
#   scripts/demo.sh [bookworm|trixie]
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=SCRIPTDIR/lib.sh
. scripts/lib.sh

if [ -z "${SHIPIT_BINARY:-}" ]; then
  need_packages scripts/packages
  need_packages scripts/lab/packages
  say "building shipit (the first time takes two minutes)"
  cargo build --locked --quiet
  SHIPIT_BINARY=$PWD/target/debug/shipit
fi
mkdir -p target/demo
# From here on hosts are booted. What was built was built as whoever started this.
if [ "$(id -u)" -ne 0 ]; then
  exec sudo -- env SHIPIT_BINARY="$SHIPIT_BINARY" ${SHIPIT_LAB_DIR:+SHIPIT_LAB_DIR="$SHIPIT_LAB_DIR"} \
    "$PWD/scripts/demo.sh" "$@"
fi

bold() { if [ -t 2 ]; then printf '\n\033[1m%s\033[0m\n' "$*" >&2; else printf '\n%s\n' "$*" >&2; fi; }

# shipit EXIT ARGS...: runs it as a person would, and ends the demo if it does not end as it should.
shipit() {
  local expected=$1 status=0
  shift
  say "\$ shipit $*"
  "$SHIPIT_BINARY" -i "$host/id_ed25519" --known-hosts "$host/known_hosts" "$@" </dev/null >&2 || status=$?
  [ "$status" -eq "$expected" ] || die "shipit $1 ended with $status, not $expected"
  say "(exit $status)"
}

# under_load WHAT EXIT ARGS...: the same, while 100 requests a second ask the app; notes what became of them, and leaves
# the host's own timeline of it.
under_load() {
  local what=$1 go
  shift
  rm -f "$scratch/load"
  exec {go}> >(exec python3 "$repository/scripts/lab/load.py" "http://$address:8080/" 100 >"$scratch/load")
  local load=$!
  until [ -s "$scratch/load" ]; do
    kill -0 "$load" 2>/dev/null || die "the load client ended before it began"
    sleep 0.02
  done
  shipit "$@"
  exec {go}>&-
  wait "$load"
  say "meanwhile: $(tail -n 1 "$scratch/load")"
  printf '  %-14s %s\n' "$what" "$(tail -n 1 "$scratch/load")" >>"$scratch/summary"
  shipit 0 report --html "$repository/target/demo/${what// /-}.html"
}

# release VERSION BEHAVIOUR: makes the tree that is shipped; tests/apps/server.py knows the behaviours.
release() {
  mkdir -p source
  cp "$repository/tests/apps/server.py" source/
  printf '%s' "$1" >source/version
  printf '%s' "$2" >source/behaviour
}

# as_the_admin COMMAND: what shipit does not do for people: the app's own units are theirs.
as_the_admin() {
  "$repository/scripts/lab.sh" ssh "$(basename "$host")" root "$1"
}

ended() {
  local status=$?
  trap - EXIT
  cd /
  [ -z "$host" ] || "$repository/scripts/lab/host.sh" down "$host"
  rm -rf "$scratch"
  exit $status
}

repository=$PWD
host=
scratch=$(mktemp -d)
trap ended EXIT
trap 'exit 130' INT TERM
started=$SECONDS

bold "1. A fresh Debian host with systemd and sshd"
host=$(scripts/lab/host.sh up "${1:-bookworm}" $$)
address=$(cat "$host/address")
for unit in acme@.service acme.socket; do
  as_the_admin "cat >/etc/systemd/system/$unit" <"tests/apps/units/handover.${unit##*.}"
done
as_the_admin "systemctl daemon-reload && systemctl --quiet enable acme@blue acme@green && systemctl --quiet enable --now acme.socket"
say "$(cat "$host/suite") at $address; acme.socket holds port 8080, acme@blue and acme@green take turns on it"

mkdir "$scratch/acme"
cat >"$scratch/acme/deploy.yml" <<END
app: acme
host: deploy@$address
source: source
services:
  - unit: acme@.service
    strategy: handover
    health:
      url: http://127.0.0.1:8080/release
      release: true
      timeout: 5s
END
cd "$scratch/acme"

bold "2. Make it ready, once"
shipit 0 setup --as "root@$address" --yes

bold "3. The first release"
release v1 graceful
shipit 0 deploy

bold "4. The second release, under load"
release v2 graceful
under_load "deploy v2" 0 deploy

bold "5. A release that crashes at its start, under load: no request reaches it, and the host reverts by itself"
release v3 crash
under_load "broken v3" 3 deploy

bold "6. Back to the first release, under load"
under_load "rollback to v1" 0 rollback

bold "7. What the host says"
shipit 0 releases
shipit 0 status

bold "The load, 100 requests a second, each on a new connection:"
cat "$scratch/summary"
say "the timeline of each switch, for a browser: target/demo/*.html"
say "$((SECONDS - started)) s in all; the host is taken away"
