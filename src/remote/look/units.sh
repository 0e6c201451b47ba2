# Prints an app's units as the host has them: properties as systemd prints them, files in base64.
# `unit NAME` begins a unit; `show` and `file` belong to it. What cannot be read is `unreadable`. The last line is
# `whole`. Changes nothing.
# args: app units…
set -e
app=$1
shift
set -f

# one_file PATH: its bytes.
one_file() {
    if text=$(base64 -w 0 <"$1" 2>/dev/null); then echo "file $text $1"; else echo "unreadable file $1"; fi
}

# is_young: whether a unit that has crashed before was restarted less than five seconds ago. Each start clears how the
# last process ended; a unit that crashes again soon is read again, between two processes.
is_young() {
    [ "$(property NRestarts)" -gt 0 ] 2>/dev/null || return 1
    case $(property SubState) in auto-restart* | dead | failed | exited | '') return 1 ;; esac
    read -r now _ </proc/uptime
    [ $((${now%.*} - $(property InactiveExitTimestampMonotonic) / 1000000)) -lt 5 ]
}

property() { printf '%s\n' "$shown" | sed -n "s/^$1=//p"; }

# one_unit NAME: what systemd has loaded, and the files it was (or would be) loaded from. Of a template only these
# properties mean anything.
one_unit() {
    only=''
    case $1 in *@.*) only='-p Id,FragmentPath,DropInPaths,LoadState,NeedDaemonReload,UnitFileState' ;; esac
    asked=$(loadable "$1")
    # shellcheck disable=SC2086 # options
    tries=0
    while :; do
        shown=$(TZ=UTC systemctl show $only -- "$asked" 2>/dev/null </dev/null) || {
            echo "unreadable unit $1"
            return 0
        }
        tries=$((tries + 1))
        [ "$tries" -lt 100 ] && is_young || break
        sleep 0.05
    done
    echo "unit $1"
    printf '%s\n' "$shown" | sed 's/^/show /'
    path=$(property FragmentPath)
    [ -z "$path" ] || one_file "$path"
    paths=$(property DropInPaths)
    # systemctl quotes a path that holds a space; xargs understands these quotes.
    paths=$(printf '%s\n' "$paths" | xargs -n 1 printf '%s\n')
    while IFS= read -r path; do
        [ -z "$path" ] || one_file "$path"
    done <<END
$paths
END
}

version=$(systemd_version)
echo "systemd $version"
echo "processors $(nproc 2>/dev/null)"
read -r up _ </proc/uptime && echo "uptime $up"
# Without a match it fails as it does without a manager: sysinit.target, which always exists, tells the two apart.
if listed=$(systemctl list-unit-files --no-legend --no-pager -- \
    "$app.*" "$app@.*" "$app-*.timer" sysinit.target 2>/dev/null) &&
    loaded=$(systemctl list-units --all --plain --no-legend --no-pager -- "$app@*" "$app-*.timer" 2>/dev/null); then
    names=$(printf '%s\n%s\n' "$listed" "$loaded" | sed 's/ .*//')
    # shellcheck disable=SC2086 # unit names hold no space
    set -- "$@" $names
else echo 'unreadable the list of units'; fi

# The units that trigger a unit, and that it triggers, belong to the app too.
done=' '
while [ $# -gt 0 ]; do
    name=$1
    shift
    case $name in shipit-*) continue ;; *.service | *.socket | *.timer | *.path) ;; *) continue ;; esac
    case $done in *" $name "*) continue ;; esac
    done="$done$name "
    one_unit "$name"
    names=$(printf '%s\n' "$shown" | sed -n -e 's/^Triggers=//p' -e 's/^TriggeredBy=//p')
    # shellcheck disable=SC2086 # unit names hold no space
    set -- "$@" $names
done
echo whole
