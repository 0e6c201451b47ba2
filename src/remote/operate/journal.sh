# Hands what comes on stdin to the host's own helper for the journal, by sudo or as root.
# args: access(sudo|root) app helper-text units…
# exits: 54 the helper is missing, or may not be run · else journalctl's
# shellcheck disable=SC2154 # run_helper sets refused
access=$1 helper=/usr/local/lib/shipit/$2/journal text=$3
shift 3
[ "$access" = sudo ] || exec sh -c "$text" shipit "$@"
run_helper "$helper" "$@"
code=$?
[ "$refused" = no ] || exit 54
exit $code
