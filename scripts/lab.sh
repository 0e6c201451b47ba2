#!/usr/bin/env bash
# A real Debian host to play with, booted in a second from the image that the tests use.
#   scripts/lab.sh up [bookworm|trixie] [DISK]   boots one and prints how to reach it; DISK: a small /opt, as 40M,
#                                                or all:400M, which loses in a power cut what was not flushed;
#                                                bookworm+apps has node, gunicorn, puma, php, caddy and Go too
#   scripts/lab.sh ssh [NAME] [USER] [CMD...]    logs in (the newest host, as deploy; also root, admin, app users)
#   scripts/lab.sh cut NAME | boot NAME          power cut, and power back
#   scripts/lab.sh list                          what is there
#   scripts/lab.sh down [NAME|all]               takes the newest, that one, or all of yours away
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=SCRIPTDIR/lib.sh
. "$here/lib.sh"
# shellcheck source=SCRIPTDIR/lab/lib.sh
. "$here/lab/lib.sh"

if [ "$(id -u)" -ne 0 ]; then exec sudo -- env SHIPIT_LAB_DIR="$lab" "$here/lab.sh" "$@"; fi

# The directories of the hosts that people booted, the newest first. Those of running tests are not ours.
persons() {
  local dir
  for dir in "$hosts"/*/; do
    [ -e "$dir/owner" ] && grep -qx person "$dir/owner" && printf '%s %s\n' "$(stat -c %Y "$dir/owner")" "${dir%/}"
  done | sort -rn | while read -r _ dir; do printf '%s\n' "$dir"; done
}

# chosen [NAME]: the directory of that host, or of the newest one.
chosen() {
  local dir
  if [ -n "${1:-}" ]; then dir=$hosts/$1; else dir=$(persons | head -n 1); fi
  [ -d "${dir:-/nonexistent}" ] || die "no such host here; scripts/lab.sh up boots one"
  printf '%s\n' "$dir"
}

verb=${1:-}
[ $# -eq 0 ] || shift
case $verb in
  up)
    need_packages "$here/lab/packages"
    dir=$("$here/lab/host.sh" up "${1:-bookworm}" person "${2:-}")
    say "$(basename "$dir") runs: $(cat "$dir/suite") at $(cat "$dir/address")"
    say "  scripts/lab.sh ssh $(basename "$dir")"
    say "  ssh -i $dir/id_ed25519 -o UserKnownHostsFile=$dir/known_hosts deploy@$(cat "$dir/address")"
    basename "$dir"
    ;;
  ssh)
    dir=$(chosen "${1:-}")
    user=${2:-deploy}
    exec ssh -F /dev/null -i "$dir/id_ed25519" -o IdentitiesOnly=yes -o UserKnownHostsFile="$dir/known_hosts" \
      "$user@$(cat "$dir/address")" "${@:3}"
    ;;
  cut | boot) "$here/lab/host.sh" "$verb" "$(chosen "${1:?NAME}")" ;;
  list)
    for dir in "$hosts"/*/; do
      [ -d "$dir" ] || continue
      name=$(basename "$dir")
      state=off
      [ -z "$(processes "$name")" ] || state=on
      printf '%-9s %-3s %-8s %-15s %s\n' "$name" "$state" "$(cat "$dir/suite")" "$(cat "$dir/address")" "$(cat "$dir/owner")"
    done
    ;;
  down)
    if [ "${1:-}" = all ]; then
      persons | while read -r dir; do "$here/lab/host.sh" down "$dir"; done
    else
      "$here/lab/host.sh" down "$(chosen "${1:-}")"
    fi
    ;;
  *)
    sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
