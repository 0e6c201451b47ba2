# Prints the routers in front of the app: their state, their files, and where links lead. Changes nothing.
# `router NAME LOAD ACTIVE ENABLED` begins a router; `runs CMDLINE` (of its process) or `starts EXEC` (of its unit),
# `file PATH TEXT`, `directory PATH` and `unreadable PATH` belong to it; `link PATH TARGET` or `nothing PATH`; `asked`
# and `whole` at the end. All words but those of `router` are base64. A file that does not exist has no line.
# args: (kind value)…: unit NAME, file PATTERN (as of glob(7)), link PATH
set +f
most=262144 # bytes of one file
left=100    # files
room=2097152 # bytes of all

# print_line WORD TEXT…: a line with each text as one word of base64.
print_line() {
    line=$1
    shift
    for word in "$@"; do
        word=$(printf '%s' "$word" | base64 -w 0) || exit 1
        line="$line $word"
    done
    echo "$line"
}
unreadable() { print_line unreadable "$1"; }

# unit NAME
unit() {
    shown=$(systemctl show -p LoadState,ActiveState,UnitFileState,MainPID,ExecStart -- "$1.service" \
        2>/dev/null </dev/null) || shown=
    load='' active='' enabled='' pid='' exec=''
    while IFS= read -r line; do
        case $line in
        LoadState=*) load=${line#*=} ;;
        ActiveState=*) active=${line#*=} ;;
        UnitFileState=*) enabled=${line#*=} ;;
        MainPID=*) pid=${line#*=} ;;
        ExecStart=*) exec=${exec:-${line#*=}} ;;
        esac
    done <<END
$shown
END
    echo "router $1 $load $active $enabled"
    [ -n "$shown" ] || { unreadable "$1.service"; return; }
    if [ "${pid:-0}" != 0 ] && line=$(base64 -w 0 2>/dev/null <"/proc/$pid/cmdline") && [ -n "$line" ]; then
        echo "runs $line"
    else
        print_line starts "$exec"
    fi
}

# closed PATH list|look: whether the permissions of the nearest existing directory above hide whether PATH exists. With
# `list` its names must be readable too.
closed() {
    at=${1%/*}
    while [ -n "$at" ] && ! [ -d "$at" ]; do at=${at%/*}; done
    at=${at:-/}
    [ -x "$at" ] || return 0
    [ "$2" = look ] || [ -r "$at" ] || return 0
    return 1
}

# text PATH: the file.
text() {
    [ -d "$1" ] && { print_line directory "$1"; return; }
    # A device or a pipe is not opened; a file that is too long is not cut.
    if [ -f "$1" ] && [ "$left" -gt 0 ] && size=$(wc -c 2>/dev/null <"$1") &&
        [ "$size" -le "$most" ] && [ "$size" -le "$room" ] &&
        out=$(head -c "$most" <"$1" 2>/dev/null | base64 -w 0) && [ "${#out}" -eq $(((size + 2) / 3 * 4)) ]; then
        left=$((left - 1)) room=$((room - size))
        path=$(printf '%s' "$1" | base64 -w 0) || exit 1
        echo "file $path $out"
    elif [ -e "$1" ] || [ -L "$1" ]; then unreadable "$1"
    elif closed "$1" look; then unreadable "$1"
    fi
}

# files PATTERN: not names that begin with a dot, as in glob(3).
files() {
    case $1 in *[*?[]*) ;; *) text "$1"; return ;; esac
    # Unquoted on purpose: names are filled in, and nothing is split.
    IFS=
    # shellcheck disable=SC2086
    for dir in ${1%/*}; do
        if closed "$dir/" list; then unreadable "$1"; fi
    done
    # shellcheck disable=SC2086
    for path in $1; do [ "$path" = "$1" ] || text "$path"; done
    unset IFS
}

while [ $# -ge 2 ]; do
    case $1 in
    unit) unit "$2" ;;
    file) files "$2" ;;
    link)
        if to=$(readlink -e -- "$2" 2>/dev/null); then print_line link "$2" "$to"
        elif [ -e "$2" ]; then exit 1
        elif to=$(readlink -f -- "$2" 2>/dev/null) && ! closed "$to" look; then print_line nothing "$2"; fi ;;
    esac
    shift 2
done
echo asked
echo whole
