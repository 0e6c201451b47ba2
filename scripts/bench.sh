#!/usr/bin/env bash
# How long, how many bytes, how many turns: shipit beside rsync --link-dest over one connection and beside tar | ssh,
# each as a script that people write, to a real Debian host behind a proxy that makes it 0 to 100 ms away or the link
# slow. Trust ratios, not seconds: the host is on this machine. What is deployed is in the host's memory, not on its disk.
#   scripts/bench.sh upload [SIZE...]     S: 60 files, 1 MB; M: 2,000 files, 40 MB; L: 12,000 files, 250 MB;
#                                         B: one program of 60 MB. By default all of them
# SHIPIT_BENCH_NETWORKS='0 50 100 100@20': milliseconds of a round trip, and Mbit/s upwards; SHIPIT_BENCH_REPEATS=3.
# SHIPIT_BENCH_PEERS='capistrano mina ansible' compares with these tools too, from Debian. The first two fetch from a
# repository on the host itself; what `git push` takes is not counted.
# SHIPIT_BENCH_BEFORE=FILE compares with another build of shipit as well.
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

[ "${1:-}" = upload ] || die "upload or zero-downtime?"
shift
[ $# -gt 0 ] || set -- S M L B
for size; do case $size in S | M | L | B) ;; *) die "no such size: $size (S M L B)" ;; esac; done
if [ -z "${SHIPIT_BINARY:-}" ]; then
  need_packages scripts/packages
  need_packages scripts/lab/packages
  say "building shipit as it is released"
  cargo build --locked --quiet --release
  SHIPIT_BINARY=$PWD/target/release/shipit
fi
[ -z "${SHIPIT_BENCH_PEERS:-}" ] || need_packages scripts/lab/peers.packages
if [ "$(id -u)" -ne 0 ]; then
  passed=(SHIPIT_BINARY="$SHIPIT_BINARY")
  for name in SHIPIT_LAB_DIR SHIPIT_BENCH_BEFORE SHIPIT_BENCH_PEERS SHIPIT_BENCH_NETWORKS SHIPIT_BENCH_REPEATS; do
    [ -z "${!name:-}" ] || passed+=("$name=${!name}")
  done
  exec sudo -- env "${passed[@]}" "$PWD/scripts/bench.sh" upload "$@"
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
suite=bookworm
[ -z "${SHIPIT_BENCH_PEERS:-}" ] || suite=bookworm+apps   # with git
host=$(scripts/lab/host.sh up "$suite" $$)
as_the_admin() { scripts/lab.sh ssh "$(basename "$host")" root "$1"; }
# Restarted in no time, by a user who cannot write to the releases.
as_the_admin 'cat >/etc/systemd/system/acme.service' <<'END'
[Unit]
ConditionPathExists=/opt/acme/current
StartLimitIntervalSec=0
[Service]
User=www-data
WorkingDirectory=/opt/acme/current
ExecStart=/usr/bin/sleep infinity
[Install]
WantedBy=multi-user.target
END
as_the_admin "systemctl daemon-reload && systemctl --quiet enable acme.service && mount -t tmpfs -o mode=755 tmpfs /opt
  echo 'deploy ALL=(root) NOPASSWD: /usr/bin/systemctl restart acme.service' >/etc/sudoers.d/bench
  mkdir -p /opt/acme && chown deploy /opt/acme"
python3 -B scripts/lab/bench.py "$SHIPIT_BINARY" "$host" "$@"
