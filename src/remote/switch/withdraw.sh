# Takes a request away that no conductor has begun (the guard does not run), or makes sure that one which is still
# on its way is refused when it comes. Afterwards nothing changed, and nothing will.
# args: root run late|ended (its script may still run, or has ended)
# exits: 32 the conductor has begun the run
set -eu
cd "$1/.shipit"
# The lock of request.sh: a request is in place, or it finds the word below.
lock_requests runs
if [ "$3" = late ] && [ ! -e "runs/$2/request" ]; then
    mkdir -p -- "runs/$2"
    : >"runs/$2/withdrawn"
    sync "runs/$2" runs
    exit 0
fi
[ ! -e "runs/$2/withdrawn" ] || exit 0
exec 8<.
flock -n 8 || exit 32
[ ! -e "runs/$2/attempt-1" ] || exit 32
[ ! request -ef "runs/$2/request" ] || rm -f -- request
# Else a power cut could bring it back, and the host would carry out what was withdrawn. Also when an earlier try has
# removed it and failed then.
sync .
