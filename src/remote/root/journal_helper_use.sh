# The end of journal_helper.sh, in the same file on the host: which releases processes run from, where that was asked.
# The conductor asks before it removes a release: it cannot see into the processes of other users.
# shellcheck shell=sh disable=SC2154
in_use "$use/releases" || exit 1
echo whole
