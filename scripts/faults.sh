#!/usr/bin/env bash
# The whole fault campaign: hours, on lab hosts side by side, each in a cgroup of its own. Stopped and started again it
# goes on where it stopped.
#   scripts/faults.sh            runs the cases that are not in the logs yet, then prints the sum
#   scripts/faults.sh steps      kills the conductor and cuts the power at each step of a switch; CI does so at some
#   scripts/faults.sh uploads    2,000 uploads of random trees, most of them struck at random; CI does so with some
#   scripts/faults.sh sum        prints the sum of what ran
#   SHIPIT_FAULTS_STRIDE=25      only every 25th case (a number without the factors 2 and 3 strikes in every way)
#   SHIPIT_FAULTS_CASES="migration 188 before,rollback 7 hangs"     only these, to repeat them
#   SHIPIT_FAULTS_HOSTS=2        hosts at a time; a number without these factors too, or the hangs meet at a few hosts
# The logs are target/faults/N.log, one for each host: SCENARIO CALL MODE, then the exit code or the violation.
set -euo pipefail
cd "$(dirname "$0")/.."
logs=target/faults
hosts=${SHIPIT_FAULTS_HOSTS:-2}

sum() {
  local all
  all=$(cat "$logs"/*.log 2>/dev/null | sort -u) || all=
  printf '%s: %d cases, %d violations, of them %d degraded\n' "$(date -u +%F)" "$(grep -c . <<<"$all")" \
    "$(grep -c ' VIOLATION ' <<<"$all")" "$(grep -c ' VIOLATION degraded' <<<"$all")"
  sed -n 's/^\([^ ]*\) .* \(exit [0-9]*\)$/\1: \2/p' <<<"$all" | sort | uniq -c
}

mkdir -p "$logs"
if [ "${1:-}" = steps ]; then
  SHIPIT_LAB=require exec cargo test --locked --test it -- --include-ignored --test-threads=4 faults::conductor faults::power
fi
# side_by_side TEST NAME: that test on each host, with its number; what it printed is NAME-N.out.
side_by_side() {
  local shard shards=()
  cargo test --locked --test it --no-run
  for ((shard = 0; shard < hosts; shard++)); do
    SHIPIT_LAB=require SHIPIT_FAULTS_SHARD=$shard SHIPIT_FAULTS_SHARDS=$hosts SHIPIT_FAULTS_LOG=$PWD/$logs/$shard.log \
      cargo test --locked --test it -- --ignored --exact "$1" --nocapture >"$logs/$2-$shard.out" 2>&1 &
    shards+=($!)
  done
  for shard in "${shards[@]}"; do wait "$shard" || { echo "a shard failed: see $logs/$2-*.out" >&2; failed=1; }; done
}

failed=0
case ${1:-} in
uploads)
  side_by_side faults::uploads::many_random_uploads uploads
  grep -h '^round' "$logs"/uploads-*.out || :
  exit $failed
  ;;
sum) ;;
*) side_by_side faults::campaign::no_fault_leaves_a_violation campaign ;;
esac
sum
