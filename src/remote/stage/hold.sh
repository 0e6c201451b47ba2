# Opens the directory that a release is received in and holds a lock on it for the whole session, so that
# what a dead client left can be told from what is still being filled, and is collected here.
# Its locks are on directories in .shipit, which no other user can open: any user can open releases/.
# Two clients may come in the same second: whoever finds the name taken gets -2, -3, …, and what follows in
# this session reads it from `held_id`.
# An upload that was cut, from which this one takes files, stays until receive.sh has them.
# args: root id|'' upload|''
# exits: 19 the files on the host could not be reused · 20 releases could not be locked
#        21 the directory of the release could not be created · 22 the directory of the release could not be locked

# discard NAME: a file may be a release's too, so no mode of one is changed.
discard() { find "$1" -type d ! -perm -u+w -exec chmod u+w {} + && rm -rf -- "$1"; }

# is_release ID: whether the ledger knows it, or something names it. 1: it is none. 2: that cannot be known.
is_release() {
    local name
    for name in ../current ../next ../slots/*; do
        case $(readlink -- "$name") in */"$1") return 0 ;; esac
    done
    [ -r ../.shipit/ledger ] || return 2
    awk -v of="$1" '$4 != "begin" && $5 == of { known = 1 } END { exit !known }' ../.shipit/ledger
}

# collect LEFT: removes it, and first the directory that got its final name when `prepare` began, or that a process of
# its command made again. Of a release only the symlink: its session died just before the last step of publish.sh.
collect() {
    local of="${1#.in-}" release=1
    if [ -d "$of" ]; then
        release=0
        is_release "$of" || release=$?
    fi
    case $release in
    0) [ ! -L "$1" ] || { rm -f -- "$1"; return; } ;;
    1) [ ! -e "$of" ] || discard "$of" || return ;;
    *) return 1 ;;
    esac
    # What is kept beside a directory that came again says what it is.
    discard "$1" && { [ "$release" = 0 ] || [ ! -e "$of" ]; } && rm -rf -- "../.shipit/releases/$1"
}

cd "$1/releases" && exec 5<../.shipit/releases && flock -w 30 5 || exit 20
for left in ../.shipit/releases/.in-*; do
    left=${left##*/} held_id=${left#.in-}
    # Died right after it got its name.
    [ ! -d "$held_id" ] || [ -e "$left" ] || [ -L "$left" ] || ln -s -- "$held_id" "$left"
done
for left in .in-*; do
    [ "$left" != "$3" ] || continue
    if [ -L "$left" ]; then [ "$(readlink -- "$left")" = "${left#.in-}" ] || continue
    else [ -d "$left" ] || continue; fi
    # Its metadata has the final name already while it is published.
    held_by=../.shipit/releases/$left
    [ -d "$held_by" ] || held_by=../.shipit/releases/${left#.in-}
    [ -d "$held_by" ] || held_by=../.shipit/links
    (flock -n 6 && collect "$left") 6<"$held_by" || :
done
# Without an id, only what is left is collected.
[ -n "$2" ] || exit 0
held_id=$2 held_try=2
while [ -e ".in-$held_id" ] || [ -L ".in-$held_id" ] || [ -e "$held_id" ] || [ -e "../.shipit/releases/$held_id" ] ||
    [ -L "../.shipit/links/$held_id" ]; do
    held_id=$2-$held_try held_try=$((held_try + 1))
done
# An adopted tree may have a setgid releases/: every directory unpacked below would inherit the bit.
mkdir -m 0755 ".in-$held_id" && chmod g-s ".in-$held_id" && mkdir -p "../.shipit/releases/.in-$held_id" || exit 21
# cut.sh of another client may look into it for a moment.
exec 7<"../.shipit/releases/.in-$held_id" && flock -w 2 7 || exit 22
if [ -n "$3" ]; then
    # `command`: what is gone must not end the shell. It may also go while its lock is waited for.
    { [ -d "$3" ] && command exec 8<"../.shipit/releases/$3"; } 2>/dev/null && flock -w 2 8 && [ -d "$3" ] || {
        echo "another deploy removed the interrupted upload, or is using it" >&2
        exit 19
    }
fi
exec 5<&-
