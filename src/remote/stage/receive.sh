# Unpacks what comes on stdin: first the list of what differs from the base, compressed, then the archive. A stream
# that was cut is found by the check that follows, never by tar: GNU tar exits with 0 if it ends between two members.
# The archive replaces nothing: what the base has too is made before, all else is new.
# args: root id base|'' hard|copy length of the list, upload|'' (one that was cut, and has files of this one), gzip|zstd
#       what there is to do, as words: ahead (many files: hash them meanwhile) moved patched
# exits: 18 zstd cannot unpack anything here · 23 tar failed
set -eu
id=${held_id:-$2}
cd "$1/releases/.in-$id"
absolute='' names=''
if [ "$5" != 0 ]; then
    dd bs="$5" count=1 iflag=fullblock status=none | gzip -dc >"$1/.shipit/releases/.in-$id/list" || exit 23
    [ -z "$3" ] || same "$3" "$4"
    # Its hard links lead to the base or to the other upload, beside this directory.
    absolute=-P
fi

# unpack: the archive. If the program before the pipe fails, tar gets an archive without an end.
unpack() {
    # shellcheck disable=SC2086 # options
    "$decoder" -dc | tar $absolute --no-same-owner --no-same-permissions --warning=no-timestamp $names -xf -
}

decoder=$7
case $8 in
*ahead*)
    names='-v --quoting-style=escape'
    # After a failure the rest is not read: the next upload finds the files that arrived, and no lock. Without a reader,
    # tar would end.
    code=$({ { unpack 3>&- && echo 0 >&3 || : >"$1/.shipit/releases/.in-$id/ahead.stop"; } |
        { ahead "$1"; cat >/dev/null; } 3>&-; } 3>&1) || : ;;
*) code=0 && unpack || code=$? ;;
esac
[ "$code" = 0 ] || {
    # An empty frame.
    [ "$7" != zstd ] || printf '\050\265\057\375\044\000\001\000\000\231\351\330\121' | zstd -dqc || exit 18
    exit 23
}
case $8 in *moved*) moved ;; esac
case $8 in *patched*) patched "$3" ;; esac
# What cannot be removed here is collected by hold.sh of the next upload.
if [ -n "$6" ]; then rm -rf -- "../$6" "$1/.shipit/releases/$6" || :; fi
# Where a directory above has a default ACL, it counts instead of the umask. The modes of a release are 0644 and 0755.
case $(LC_ALL=C ls -ld .) in
??????????+*)
    find . -mindepth 1 \( -type d -o -type f -links 1 -perm -u+x \) -exec chmod 0755 {} + &&
        find . -type f -links 1 ! -perm -u+x -exec chmod 0644 {} + || exit 23 ;;
esac
