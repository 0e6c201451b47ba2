# How values reach a script by name: words `NAME=VALUE`, as src/step/wire.rs writes them. Never here: their meaning.
# shellcheck shell=dash disable=SC2034

# Bytes travel as \0ooo, so that a line of the request splits at its spaces and nowhere else.
decode() { printf '%b' "$1"; }

# arguments NAMES WORD…: sets a variable for each of NAMES; the caller has declared them with `local`. Every name must
# be given once, and no other: else it fails, and cause says why.
arguments() {
    local arguments_left=" $1 " arguments_name arguments_value
    shift
    while [ $# -gt 0 ]; do
        arguments_name=${1%%=*} arguments_value=${1#*=}
        case $1 in *=*) ;; *) arguments_name='' ;; esac
        case $arguments_name in '' | *[!a-z]*) cause="not an argument: $1"; return 1 ;; esac
        case $arguments_left in
        *" $arguments_name "*) ;;
        *) cause="unknown or repeated argument: $arguments_name"; return 1 ;;
        esac
        arguments_left="${arguments_left%%" $arguments_name "*} ${arguments_left#*" $arguments_name "}"
        # Most values need no decoding, which takes a process.
        case $arguments_value in *\\*) arguments_value=$(decode "$arguments_value") ;; esac
        # The name is one of the caller's own, and the value is not read as code.
        eval "$arguments_name=\$arguments_value"
        shift
    done
    case $arguments_left in *[!\ ]*) cause="missing arguments:$arguments_left"; return 1 ;; esac
}
