# Links the shared paths into the received release. Every parent, on both sides, must be a real directory:
# a release must not be able to lead a link out of itself. shipit never follows a link inside shared/.
# args: root id, then for each path: dir|file|optional path
# exits: 25 a file is in the way of a shared path · 26 a shared file is missing
set -eu
umask 002
id=${held_id:-$2}
root=$1 release=$1/releases/.in-$id missing=0
shift 2

# other PATH WANTED: what is there instead.
other() {
    if [ -L "$1" ]; then echo "$1 is a symlink to $(readlink -- "$1"), which shipit does not follow" >&2
    else echo "$1 is not a $2" >&2; fi
    exit 25
}

# real DIRECTORY RELATIVE: no component on the way is a link or a file; what is missing is made.
real() {
    local at="$1" rest="$2" part
    while [ -n "$rest" ]; do
        part=${rest%%/*}
        case $rest in */*) rest=${rest#*/} ;; *) rest='' ;; esac
        at=$at/$part
        if [ -L "$at" ] || { [ -e "$at" ] && [ ! -d "$at" ]; }; then other "$at" directory; fi
        # Another deploy may make it at the same moment.
        [ -d "$at" ] || mkdir -- "$at" || [ -d "$at" ]
    done
}

while [ $# -gt 0 ]; do
    kind=$1 path=$2
    shift 2
    case $path in */*) parent=${path%/*} ;; *) parent='' ;; esac
    case $kind in
    dir) real "$root/shared" "$path" ;;
    *)
        real "$root/shared" "$parent"
        if [ -L "$root/shared/$path" ] || [ -d "$root/shared/$path" ]; then other "$root/shared/$path" file
        elif [ ! -e "$root/shared/$path" ]; then
            [ "$kind" = file ] || continue
            echo "missing $root/shared/$path" >&2
            missing=1
            continue
        fi ;;
    esac
    (umask 022 && real "$release" "$parent") || exit 25
    [ ! -d "$release/$path" ] || [ -L "$release/$path" ] || rmdir -- "$release/$path" || exit 25
    up=../../
    rest=$parent
    while [ -n "$rest" ]; do
        up=../$up
        case $rest in */*) rest=${rest#*/} ;; *) rest='' ;; esac
    done
    ln -sT -- "${up}shared/$path" "$release/$path" || exit 25
done
[ "$missing" = 0 ] || exit 26
