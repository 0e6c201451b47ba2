# Puts the conductor in place, whole or not at all. It comes compressed on stdin, before the request; it runs as the
# deploy user. Never while a request is there: a conductor that was killed is started again, and must be the one that
# began.
# args: root sha256 protocol bytes
# exits: 27 the conductor arrived incomplete · 29 the conductor of this version could not be written
#        30 another request exists (printed) · 59 the lock of the requests could not be taken
set -eu
cd "$1/.shipit"
# A name of its own: two clients at once must not write into each other's file.
find . -maxdepth 1 -name 'conductor.new*' -mmin +60 -exec rm -rf -- {} + || :
new=conductor.new.$$

receive() {
    # All of it is read before anything is written: the request follows.
    text=$(dd bs="$4" count=1 iflag=fullblock status=none | gzip -dc && echo .) || return 27
    { printf %s "${text%.}" >"$new"; } || return 29
    got=$(sha256sum <"$new") || return 29
    [ "${got%% *}" = "$2" ] || return 27
    sync "$new" || return 29
}

code=0
receive "$@" || code=$?
# Only from here on: what waits for the client must not hold the lock.
lock_requests runs || { rm -f -- "$new"; exit 59; }
if print_request; then rm -f -- "$new"; exit 30; fi
if [ "$code" = 0 ]; then
    if mv -fT -- "$new" conductor && sync .; then exit 0; fi
    code=29
fi
rm -f -- "$new"
# A full disk must not stop a rollback: another conductor will do, if it carries out the same requests.
if grep -qxF "protocol=$3" conductor 2>/dev/null; then exit 0; fi
exit "$code"
