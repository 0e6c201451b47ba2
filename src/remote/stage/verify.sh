# Compares the whole received tree (names, types, modes, sizes, links, contents) with the digest that the client
# computed. Reads what is new; a file that has the base's inode, time, size and mode has the content that was read when
# the base was published. The listing stays as the release's manifest, and the stamps for the next release; the listing
# is printed when it differs.
# args: root id digest base|''
# exits: 24 the tree differs from its digest
set -eu
id=${held_id:-$2}
cd "$1/releases/.in-$id"
meta=$1/.shipit/releases/.in-$id stamps=/dev/null hashes=/dev/null
if [ -n "$4" ]; then stamps=$meta/../$4/stamps hashes=$meta/../$4/manifest; fi
find . -type f -printf '%i %T@ %s %m ./%P\0' | sort -z >"$meta/stamps"
# As long as a hash, and sorted behind each.
as_hash=gggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggg
{
    find . -mindepth 1 \( -type f -printf 'f %m %s %P\0' -o -type d -printf 'd %m %P\0' \
        -o -type l -printf 'l %P//%l\0' -o -printf '? %P\0' \) | sort -z
    {
        {
            comm -z -12 "$stamps" "$meta/stamps" | cut -z -d ' ' -f 5- | sed -z "s/^/$as_hash  /"
            sed -z -n '/^[0-9a-f]\{64\}  /p' "$hashes"
        } | sort -z -t / -k 2 | uniq -z -s 66 -d
        comm -z -13 "$stamps" "$meta/stamps" | cut -z -d ' ' -f 5- | xargs -0 -r sha256sum -z --
    } | sort -z -t / -k 2
} >"$meta/manifest"
digest=$(sha256sum <"$meta/manifest")
if [ "${digest%% *}" != "$3" ]; then
    cat "$meta/manifest"
    # The eleventh character of a mode: more than the mode decides who can read it.
    case $(LC_ALL=C ls -ld .) in
    ??????????+*) echo "$1/releases has a default ACL, which changes the modes of files: getfacl $1/releases" >&2 ;;
    esac
    exit 24
fi
echo "$3" >"$meta/digest"
