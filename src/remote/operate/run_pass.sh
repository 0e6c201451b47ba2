# The command itself: its output passes through as it comes.
# shellcheck shell=sh disable=SC2154
exec sudo -n -u root "$helper" "$app" "$@"
