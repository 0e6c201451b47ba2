# Puts a switch request in place, with a call that fails if one is there: whoever wins holds the host.
# A request made from an old view of the host (another switch came since) is refused as well.
# The request comes on stdin: it may be longer than a command line.
# args: root run epoch bytes
# exits: 30 another request exists (printed) · 31 the host has changed since it was observed (printed)
#        33 the request was withdrawn · 59 the lock of the requests could not be taken
set -eu
cd "$1/.shipit"
# Before the lock: what waits for the client must not hold it.
text=$(cat && echo .)
lock_requests runs || exit 59
# Its client has lost the connection, and withdrew it before it came.
[ ! -e "runs/$2/withdrawn" ] || exit 33
# What cannot be seen now is found by the call that fails.
if [ -e request ] || [ -L request ]; then kind=$(request_kind request); else kind=''; fi
case $kind in
'') ;;
regular*) if print_request; then exit 30; fi ;;
*) # The guard moves such a file aside too, but it does not see a link to nowhere.
    rm -rf -- request.unreadable
    mv -T -- request request.unreadable || : ;;
esac
# Read as observe.sh reads it. A ledger that cannot be read is not an empty one: awk fails, and so does this.
[ -e ledger ] || : >>ledger
last=$(awk '$4 == "begin" { last = $0; e = $2 + 0; epoch = e > 0 && e < 2 ^ 53 ? e : 0 }
    END { printf "%.0f\n", epoch; print last }' ledger)
if [ "${last%%
*}" != "$3" ]; then
    printf '%s\n' "$last" | tail -n 1
    exit 31
fi
# The spare run was made while there was room: with it this works on a full disk too.
# Without one, and without room for a new one, the oldest run gives up its evidence.
if ! { [ -d spare ] && mv -T -- spare "runs/$2"; } 2>/dev/null && ! mkdir -- "runs/$2" 2>/dev/null &&
    [ ! -d "runs/$2" ]; then
    oldest=$(find runs -mindepth 1 -maxdepth 1 -type d | sort | head -n 1)
    [ -n "$oldest" ]
    mv -T -- "$oldest" "runs/$2"
    rm -f -- "runs/$2"/*
fi
for file in request events probes said journal; do : >>"runs/$2/$file"; done
printf %s "${text%.}" >>"runs/$2/request"
[ "$(wc -c <"runs/$2/request")" -eq "$4" ]
sync "runs/$2/request" "runs/$2" runs
# From here on the host may act on it: what fails now does not take it back, and the client hears how it ends.
ln -T -- "runs/$2/request" request || [ request -ef "runs/$2/request" ] || {
    if print_request; then exit 30; fi
    exit 1
}
sync . || :
echo placed
