#!/bin/sh
# The action's second step: runs one shipit command, and gives its last JSON line to the job as outputs and a summary.
# The key is in a file only while the command runs, never in an argument. In: COMMAND, ENVIRONMENT, IDENTITY, HOST_KEY,
# RUNNER_TEMP, GITHUB_OUTPUT, GITHUB_STEP_SUMMARY. Exits as shipit does.
set -eu
dir=$(mktemp -d "$RUNNER_TEMP/shipit-XXXXXX")
trap 'rm -rf "$dir"' EXIT
umask 077

# COMMAND is words, as on a command line without quotes.
set -f
# shellcheck disable=SC2086 # split into words on purpose
set -- $COMMAND
set +f
if [ -n "${ENVIRONMENT:-}" ]; then set -- --environment "$ENVIRONMENT" "$@"; fi
if [ -n "${IDENTITY:-}" ]; then
  printf '%s\n' "$IDENTITY" >"$dir/key"
  set -- --identity "$dir/key" "$@"
fi
if [ -n "${HOST_KEY:-}" ]; then
  printf '%s\n' "$HOST_KEY" >"$dir/known_hosts"
  set -- --known-hosts "$dir/known_hosts" "$@"
fi
unset IDENTITY HOST_KEY

: >"$dir/events"
shipit --json "$@" >"$dir/events" &
shipit=$!
# A canceled job: shipit gets the signal, asks the host to revert, and its exit status is ours.
trap 'kill -TERM "$shipit" 2>/dev/null || :' INT TERM
# The job's log. Each line begins with `{` and has no control characters: it cannot be a command to the runner.
tail -n +1 -f --pid="$shipit" "$dir/events" &
log=$!
while :; do
  status=0
  wait "$shipit" || status=$?
  kill -0 "$shipit" 2>/dev/null || break
done
wait "$log" || :

ended=$(jq -c 'select(.event == "ended")' "$dir/events" | tail -n 1)
field() { printf '%s\n' "${ended:-{\}}" | jq -r "$1 // \"\""; }
outcome=$(field .outcome)
{
  printf 'outcome=%s\n' "$outcome"
  printf 'release=%s\n' "$(field .release)"
  printf 'live=%s\n' "$(field .live)"
  printf 'failed-probes=%s\n' "$(field '.downtime.failed | tostring | select(. != "null")')"
} >>"$GITHUB_OUTPUT"
{
  printf '### shipit: %s\n\n' "${outcome:-exit status $status}"
  printf '| | |\n|---|---|\n'
  printf '| release | %s |\n' "$(field '.release')"
  printf '| live | %s |\n' "$(field '.live')"
  printf '| failed probes | %s |\n' "$(field '.downtime | select(.) | "\(.failed) of \(.probes)"')"
  # Text of the app, as a block that no Markdown ends.
  field '.cause | select(.) | ([.what] + .why + [.host // empty] + .next) | map("    " + .) | "\n" + join("\n")'
} >>"$GITHUB_STEP_SUMMARY"
exit "$status"
