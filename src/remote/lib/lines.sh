# Lines of text in the shell itself: starting a program for them would cost more than all else here. Only prints.
# shellcheck shell=dash

# prefixed WORD TEXT: prints each line of TEXT that is not empty, with WORD and a space before it; all at once, so that
# one packet carries them.
prefixed() {
    local IFS='
' line out=''
    set -f
    for line in $2; do out="$out$1 $line
"; done
    set +f
    printf %s "$out"
}

# left FILE SCRIPT: what stands in a file that something left here, by that script of sed; nothing if it is gone.
left() {
    local text
    [ -f "$1" ] || return 0
    text=$(sed -n "$2" "$1") || [ ! -e "$1" ]
    [ ! -e "$1" ] || printf '%s %s\n' "$1" "$text"
}
