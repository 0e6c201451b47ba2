# The first part of a script that asks the helper to stop a command: what it reads is an argument here.
# args: the helper's line, and then those of run_service.sh
# shellcheck shell=sh
line=$1
shift
exec <<END
$line
END
