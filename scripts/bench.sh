#!/usr/bin/env bash
# How long, how many bytes, how many round trips: shipit beside the rsync script that people write by hand, to a
# real Debian host behind a proxy that makes it 0 or 50 ms away. Trust ratios, not seconds: the host is on this machine.
#   scripts/bench.sh [S|M]     S: 60 files, 1 MB (the default); M: 2,000 files, 40 MB
# SHIPIT_BENCH_BEFORE=FILE compares with another build of shipit instead.
# And how many requests each strategy loses, under 300 a second, with good and bad releases (docs/zero-downtime.md):
#   scripts/bench.sh zero-downtime [RUNS [STRATEGY...]]     runs of each kind of release, 10 by default
# It prints a table. Each run is a line of target/zero-downtime/log: stopped and started again, it continues there.
# SHIPIT_ZERO_SUITE=trixie measures on Debian 13, SHIPIT_ZERO_DIR is another directory, which such a run needs.
# SHIPIT_ZERO_RELEASES=good measures only releases whose name begins so: good deploys and rollbacks.
# Needs a Debian with Rust and gcc, and root or sudo; installs what else it needs.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=SCRIPTDIR/lib.sh
. scripts/lib.sh

zero_downtime() {
  local dir=${SHIPIT_ZERO_DIR:-$PWD/target/zero-downtime} triple
  need_packages scripts/packages
  need_packages scripts/lab/packages
  mkdir -p "$dir"
  if [ "$(id -u)" -ne 0 ]; then
    triple=$(rustc -vV | sed -n 's/^host: //p' | tr a-z- A-Z_)
    export "CARGO_TARGET_${triple}_RUNNER=sudo -n -E"
  fi
  export SHIPIT_LAB=require SHIPIT_ZERO_DIR=$dir SHIPIT_ZERO_DEPLOYS=${1:-10} SHIPIT_ZERO_STRATEGIES="${*:2}"
  cargo test --locked --quiet --test it -- --ignored --exact --nocapture zero::each_strategy_under_load >&2
  cat "$dir/table.md"
}
if [ "${1:-}" = zero-downtime ]; then
  zero_downtime "${@:2}"
  exit
fi

case ${1:-S} in S | M) ;; *) die "no such size: $1 (S, M, zero-downtime)" ;; esac
if [ -z "${SHIPIT_BINARY:-}" ]; then
  need_packages scripts/packages
  need_packages scripts/lab/packages
  say "building shipit as it is released"
  cargo build --locked --quiet --release
  SHIPIT_BINARY=$PWD/target/release/shipit
fi
if [ "$(id -u)" -ne 0 ]; then
  exec sudo -- env SHIPIT_BINARY="$SHIPIT_BINARY" ${SHIPIT_LAB_DIR:+SHIPIT_LAB_DIR="$SHIPIT_LAB_DIR"} \
    ${SHIPIT_BENCH_BEFORE:+SHIPIT_BENCH_BEFORE="$SHIPIT_BENCH_BEFORE"} "$PWD/scripts/bench.sh" "$@"
fi

ended() {
  local status=$?
  trap - EXIT
  [ -z "$host" ] || scripts/lab/host.sh down "$host"
  exit $status
}
host=
trap ended EXIT
trap 'exit 130' INT TERM
host=$(scripts/lab/host.sh up bookworm $$)
as_the_admin() { scripts/lab.sh ssh "$(basename "$host")" root "$1"; }
for unit in acme.service acme.socket; do
  as_the_admin "cat >/etc/systemd/system/$unit" <"tests/apps/units/${unit/acme/socket}"
done
as_the_admin "systemctl daemon-reload && systemctl --quiet enable acme.service && systemctl --quiet enable --now acme.socket"
python3 -B scripts/lab/bench.py "${1:-S}" "$SHIPIT_BINARY" "$host"
