# Asks the helper first, whose refusals are not the exit status of a command then.
# exits: 54 the helper is missing, or may not be run · else the helper's
# shellcheck shell=sh disable=SC2154
run_helper "$helper" "$app" "$@"
code=$?
[ "$refused" = no ] || exit 54
exit $code
