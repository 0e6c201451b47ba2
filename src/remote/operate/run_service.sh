# Hands what comes on stdin to the host's own helper for commands, by sudo or as root: which unit, and the command; what
# follows is the command's own stdin.
# args: access(sudo|root) app helper-text units…
# shellcheck shell=sh disable=SC2034 # the other half uses them
access=$1 app=$2 text=$3 helper=/usr/local/lib/shipit/$2/run
shift 3
[ "$access" = sudo ] || exec sh -c "$text" shipit "$app" "$@"
