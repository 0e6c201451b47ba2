# Takes a request away that no conductor has begun: the guard does not run, and nothing changed.
# args: root run
# exits: 32 a conductor has it
set -eu
cd "$1/.shipit"
exec 9<.
flock -n 9 || exit 32
[ ! -e "runs/$2/attempt-1" ] || exit 32
if [ request -ef "runs/$2/request" ]; then rm -f -- request; fi
