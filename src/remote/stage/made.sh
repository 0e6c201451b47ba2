# What the next release compares before it takes over what `prepare` made in this one, for prepare.sh: a number for the
# outputs, and whether they are all that the command made, and of use elsewhere. Nothing here changes the release.
# prepare.sh sets root, id, base and how.
# shellcheck shell=dash disable=SC2154

# around OUTPUT…: what is in the release beside the outputs and the directories that lead to them. The bytecode that
# Python keeps for later is nothing that a release needs.
around() (
    outputs=$(printf '%s\n' "$@" | sed 's/[][*?\\]/\\&/g')
    IFS='
'
    cd "$root/releases/$id" && set -f || exit
    set -- '(' -name __pycache__
    for at in $outputs; do set -- "$@" -o -path "$at"; done
    set -- "$@" ')' -prune
    for at in $outputs; do
        while at=${at%/*} && [ "$at" != . ]; do set -- "$@" -o -path "$at"; done
    done
    find . -mindepth 1 "$@" -o -type d -printf '%p//d %m\0' -o -type f -printf '%p//f %i %T@ %s %m\0' -o \
        -printf '%p//%y %l\0' >"$state/.in-$id/listing" && sort -z <"$state/.in-$id/listing"
)

# own OUTPUT…: the outputs that contain the path of a release or the id of this one, in their content, target or name;
# then `end`. Anything else, also on stderr: not all of them were read.
own() (
    cd "$root/releases/$id" || exit
    find "$@" \( -name "*$id*" -o -lname "$root/releases/*" -o -lname "*$id*" \) -print -quit &&
        find "$@" -type f -print0 >"$state/.in-$id/listing" || exit
    code=0
    xargs -0 -r grep -lF -e "$root/releases/" -e "$id" -- <"$state/.in-$id/listing" || code=$?
    case $code in 0 | 123) echo end ;; esac
)

# record ran|taken OUTPUT…: without it, `prepare` runs in the next release.
record() {
    local seen at="$state/.in-$id" verdict=usable did="$1" found
    shift
    if [ "$did" = taken ] && [ "$how" = hard ]; then cp -- "$state/$base/outputs" "$at/outputs"; return; fi
    seen=$(listing "$id" exact "$@") || return 0
    # What is taken was usable in the base.
    if [ "$did" = ran ]; then
        found=$(own "$@" 2>&1 | head -n 1)
        case $found in end) ;; ./*) verdict="path $found" ;; *) return 0 ;; esac
        around "$@" >"$at/around.now" && comm -z -3 "$at/around" "$at/around.now" >"$at/listing" || return 0
        found=$(sed -z 's/^\t//; s,//.*,,' <"$at/listing" | tr '\n\0' '?\n' | head -n 1)
        [ -z "$found" ] || verdict="beside $found"
    fi
    printf '%s\n%s\n' "$seen" "$verdict" >"$at/outputs"
}
