# Puts the conductor in place, whole or not at all. It comes on stdin; it runs as the deploy user. Never while a request
# is there: a conductor that was killed is started again, and must be the one that began.
# args: root sha256 protocol
# exits: 27 the conductor arrived incomplete · 29 the conductor of this version could not be written
#        30 another request holds the host (printed)
set -eu
cd "$1/.shipit"
lock_requests runs
if print_request; then exit 30; fi
# A name of its own: two clients at once must not write into each other's file.
find . -maxdepth 1 -name 'conductor.new*' -mmin +60 -exec rm -rf -- {} +
new=conductor.new.$$

place() {
    cat >"$new" || return 29
    got=$(sha256sum <"$new") || return 29
    [ "${got%% *}" = "$1" ] || return 27
    sync "$new" && mv -fT -- "$new" conductor && sync . || return 29
}

code=0
place "$2" || code=$?
[ "$code" != 0 ] || exit 0
rm -f -- "$new"
# A full disk must not stop a rollback: another conductor will do, if it carries out the same requests.
if grep -qxF "protocol=$3" conductor 2>/dev/null; then exit 0; fi
exit "$code"
