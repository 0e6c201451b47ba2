# Gives the conductor of one run a word from its client: `cancel` (go back), the verdict of the verify command, `passed`
# or `refused`, or `promote` (a canary waits no longer). A run that has not started yet is withdrawn by `cancel`.
# One whose request is still on its way is refused when it comes.
# args: root run word
# exits: 49 there is nothing to revert · 58 the switch has no canary · 59 the lock of the requests could not be taken
set -eu
cd "$1/.shipit"
if [ "$3" = cancel ] && [ ! -e "runs/$2/request" ]; then
    # The lock of request.sh: the request is in place, or it finds this word.
    lock_requests runs || exit 59
    if [ ! -e "runs/$2/request" ]; then
        mkdir -p -- "runs/$2"
        : >"runs/$2/withdrawn"
        sync "runs/$2" runs
        exit 0
    fi
fi
cd "$1/.shipit/runs/$2"
[ "$3" != promote ] || grep -q '^switch canary ' request || [ $? != 1 ] || exit 58
# It is confirmed already, or removes old releases only.
if [ -e confirmed ] && [ ! -e reverting ]; then exit 49; fi
grep -q '^switch ' request || [ $? != 1 ] || exit 49
# A disk that turned read-only takes no word. The switch waits for it, and so does this, whoever has left meanwhile.
trap '' PIPE HUP
while read_only request; do
    [ ../../request -ef request ] || exit 0
    sleep 0.2
done
true >>"./$3" || ln -- request "$3"
sync .
