# Compares the whole received tree (names, types, modes, sizes, links, contents) with the digest that the client
# computed. Reads what is new; a file that has the base's inode, time, size and mode has the content that was read when
# the base was published, and one that has those of ahead.sh the content that was read then. The listing stays as the
# release's manifest, and the stamps for the next release; the listing is printed when it differs.
# args: root id digest base|''
# exits: 24 the tree differs from its digest
set -eu
id=${held_id:-$2}
cd "$1/releases/.in-$id"
meta=$1/.shipit/releases/.in-$id
# As long as a hash, and sorted behind each.
as_hash=gggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggg

# known STAMPS HASHES: the hashes of the files that are as they were then.
known() {
    {
        comm -z -12 "$1" "$meta/stamps" | cut -z -d ' ' -f 5- | sed -z "s/^/$as_hash  /"
        sed -z -n '/^[0-9a-f]\{64\}  /p' "$2"
    } | sort -z -t / -k 2 | uniq -z -s 66 -d
}

find . -type f -printf '%i %T@ %s %m ./%P\0' | sort -z >"$meta/stamps"
{
    find . -mindepth 1 \( -type f -printf 'f %m %s %P\0' -o -type d -printf 'd %m %P\0' \
        -o -type l -printf 'l %P//%l\0' -o -printf '? %P\0' \) | sort -z
    {
        : >"$meta/read"
        if [ -n "$4" ] && [ -f "$meta/../$4/stamps" ] && [ -f "$meta/../$4/manifest" ]; then
            known "$meta/../$4/stamps" "$meta/../$4/manifest" >>"$meta/read"
        fi
        if [ -f "$meta/ahead.stamps" ] && [ -f "$meta/ahead.hashes" ]; then
            sort -z <"$meta/ahead.stamps" >"$meta/ahead.batch"
            known "$meta/ahead.batch" "$meta/ahead.hashes" >>"$meta/read"
        fi
        cat -- "$meta/read"
        cut -z -b 67- "$meta/read" | sort -z >"$meta/read.names"
        cut -z -d ' ' -f 5- "$meta/stamps" | sort -z | comm -z -13 "$meta/read.names" - | xargs -0 -r sha256sum -z --
    } | sort -z -t / -k 2 | uniq -z -s 66
} >"$meta/manifest"
rm -f -- "$meta/read" "$meta/read.names" "$meta/ahead.batch" "$meta/ahead.stamps" "$meta/ahead.hashes"
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
