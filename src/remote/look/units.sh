# Prints an app's units as the host has them: properties as systemd says them, files in base64.
# `unit NAME` begins a unit; `show` and `file` belong to it. What cannot be read is said. Changes nothing.
# args: app units…
app=$1
shift
set -f

# one_file PATH: its bytes.
one_file() {
    if text=$(base64 -w 0 <"$1" 2>/dev/null); then echo "file $text $1"; else echo "unreadable file $1"; fi
}

# is_young: whether a unit that has died before is in its next life for less than five seconds. How the last one ended
# is forgotten with each start; what dies again soon is looked at again, between two lives.
looks=$(seq 100)
is_young() {
    [ "$(property NRestarts)" -gt 0 ] 2>/dev/null || return 1
    case $(property SubState) in auto-restart* | dead | failed | exited | '') return 1 ;; esac
    read -r now _ </proc/uptime
    [ $((${now%.*} - $(property InactiveExitTimestampMonotonic) / 1000000)) -lt 5 ]
}
property() { printf '%s\n' "$shown" | sed -n "s/^$1=//p"; }

# one_unit NAME: what systemd has loaded, and the files it was (or would be) loaded from. A template cannot be asked
# about; an instance that nobody uses knows the template's files, and is forgotten at once.
one_unit() {
    case $1 in
    *@.*) asked=${1%%@*}@shipit.${1##*.} only='-p Id,FragmentPath,DropInPaths,LoadState,NeedDaemonReload,UnitFileState' ;;
    *) asked=$1 only='' ;;
    esac
    # shellcheck disable=SC2086 # options
    for _ in $looks; do
        shown=$(TZ=UTC systemctl show $only -- "$asked" 2>/dev/null </dev/null) || { echo "unreadable unit $1"; return 1; }
        is_young || break
        sleep 0.05
    done
    echo "unit $1"
    printf '%s\n' "$shown" | sed 's/^/show /'
    path=$(printf '%s\n' "$shown" | sed -n 's/^FragmentPath=//p')
    [ -z "$path" ] || one_file "$path"
    # systemctl quotes a path that holds a space; xargs knows these quotes.
    printf '%s\n' "$shown" | sed -n 's/^DropInPaths=//p' | xargs -n 1 printf '%s\n' | while IFS= read -r path; do
        [ -z "$path" ] || one_file "$path"
    done
}

echo "systemd $(systemctl --version 2>/dev/null | sed -n '1s/[^0-9]*\([0-9]*\).*/\1/p')"
echo "processors $(nproc 2>/dev/null)"
read -r up _ </proc/uptime && echo "uptime $up"
# Without a match it would fail as it does when it cannot ask: one that is always there tells the two apart.
if listed=$(systemctl list-unit-files --no-legend --no-pager -- "$app.*" "$app@.*" "$app-*.timer" sysinit.target 2>/dev/null) &&
    loaded=$(systemctl list-units --all --plain --no-legend --no-pager -- "$app@*" "$app-*.timer" 2>/dev/null); then
    # shellcheck disable=SC2046 # unit names hold no space
    set -- "$@" $(printf '%s\n%s\n' "$listed" "$loaded" | sed 's/ .*//')
else echo 'unreadable the list of units'; fi

# What triggers a unit and what it triggers belong to the app too.
seen=' '
while [ $# -gt 0 ]; do
    name=$1
    shift
    case $name in shipit-*) continue ;; *.service | *.socket | *.timer | *.path) ;; *) continue ;; esac
    case $seen in *" $name "*) continue ;; esac
    seen="$seen$name "
    one_unit "$name" || continue
    # shellcheck disable=SC2046 # unit names hold no space
    set -- "$@" $(printf '%s\n' "$shown" | sed -n -e 's/^Triggers=//p' -e 's/^TriggeredBy=//p')
done
