# Takes over from a base release what the new one has too, for receive.sh: hard links or copies, made by a few processes
# whatever their number. Nothing here changes the base: no file of it is opened for writing, and no mode is changed of a
# file with more than one name.
# exits: 19 the files on the host could not be reused
# shellcheck shell=dash disable=SC2154

# same BASE hard|copy: in a new release, makes what the base has too: all but what the list says.
same() {
    local new="$PWD" meta="../../.shipit/releases" how
    case $2 in hard) how=-l ;; *) how='--preserve=mode,timestamps --reflink=auto' ;; esac
    sed -z -n 's/^x//p' "$meta/.in-$id/list" >"$meta/.in-$id/except"
    sed -z -n 's/^d 755 /.\//p' "$meta/$1/manifest" | comm -z -23 - "$meta/.in-$id/except" |
        xargs -0 -r mkdir -p -- || exit 19
    # shellcheck disable=SC2086 # options
    (cd "../$1" && cut -z -d ' ' -f 5- "$meta/$1/stamps" | sort -z | comm -z -23 - "$meta/.in-$id/except" |
        xargs -0 -r cp -d $how --parents -t "$new" --) || exit 19
}

# moved: what came as a hard link to a file of the base, under another name or with another mode, becomes a file of its
# own, with a time of its own: a server may tell the content of a path by its time and size.
moved() {
    local list="../../.shipit/releases/.in-$id/list" mode
    # What it reads is replaced while it reads: that warning means nothing here.
    sed -z -n 's/^[ne]//p' "$list" | tar -cf - --hard-dereference --no-recursion --warning=no-file-changed \
        --null --verbatim-files-from -T - | tar --no-same-owner --no-same-permissions -xmf - || exit 19
    for mode in n:0644 e:0755; do
        sed -z -n "s/^${mode%:*}//p" "$list" >"$list.moved"
        find . -type f -links 1 -printf './%P\0' | sort -z | comm -z -12 - "$list.moved" |
            xargs -0 -r chmod "${mode#*:}" -- || exit 19
    done
}

# patched BASE: what came as a patch against a file of the base becomes the file. The file of the base is only read.
patched() {
    # shellcheck disable=SC2016 # for the inner shell
    sed -z -n '/^[bpq]/p' "../../.shipit/releases/.in-$id/list" |
        xargs -0 -r -n 2 sh -c '
            case $3 in q*) mode=0755 ;; *) mode=0644 ;; esac
            zstd -dq --patch-from="$1/${2#b./}" -o "$0" -- "${3#?}" && chmod "$mode" -- "$0" &&
                mv -fT -- "$0" "${3#?}"
        ' "$PWD/../../.shipit/releases/.in-$id/patched" "../$1" || exit 19
}
