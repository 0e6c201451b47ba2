# What `status` asks beside observe.sh: health now, what the processes run from, sockets, timers, who deployed. The conductor's
# words and probes stand above. One fact a line; changes nothing; what cannot be read is said as unreadable.
# args: root app (unit socket|- kind target status contains release|-)…
# shellcheck shell=dash disable=SC2034,SC2154
root=$1 app=$2 units=''
shift 2
read -r uptime _ </proc/uptime && echo "uptime ${uptime%.*}"
manager=system phase=glance said=''
inside=no target_release=-
if cd "$root/.shipit" 2>/dev/null; then inside=yes && target_release=$(is_current); fi
while [ $# -ge 7 ]; do
    units="$units $1"
    pid=$(systemctl show -p MainPID --value -- "$1" </dev/null) || echo "unreadable the process of $1"
    # Only of a user's own processes, or as root, can this be read; that it cannot is no fault.
    if [ "${pid:-0}" != 0 ] && where=$(readlink "/proc/$pid/cwd" 2>/dev/null); then
        exe=$(readlink "/proc/$pid/exe" 2>/dev/null) || exe=''
        for path in "$where/" "$exe"; do
            case $path in "$(pwd -P | sed 's,/.shipit$,,')/releases/"*) path=${path#*/releases/}; echo "from $1 ${path%%/*}"; break ;; esac
        done
    fi
    [ "$2" = - ] || TZ=UTC systemctl show -p Listen -- "$2" </dev/null | sed -n "s/^Listen=/listens $2 /p"
    release=$7
    [ "$7" = - ] || release=$target_release
    if [ "$3" != none ]; then
        if probe "$3" "$4" "$5" "$6" "$release" 2; then echo "health $1 ok"; else printf 'health %s failed %s\n' "$1" "$said"; fi
    fi
    shift 7
done

# Those named after the app, and those that start a unit of it.
# Where nothing matches list-unit-files of 252 fails, so one unit that every host has is asked for too.
# shellcheck disable=SC2086 # unit names
timers=$({ systemctl list-unit-files --no-legend --no-pager -- "$app.timer" "$app-*.timer" sysinit.target &&
    { [ -z "$units" ] || systemctl show -p TriggeredBy --value -- $units | tr ' ' '\n'; }; } </dev/null) || echo 'unreadable the timers'
printf '%s\n' "$timers" | sed -n 's/^\([^ ]*[^@ ]\.timer\)\( .*\)\{0,1\}$/\1/p' | sort -u | while IFS= read -r timer; do
    TZ=UTC systemctl show -p ActiveState,UnitFileState,Unit,LastTriggerUSec,NextElapseUSecRealtime,NextElapseUSecMonotonic \
        -- "$timer" </dev/null | sed "s/^/timer $timer /" || echo "unreadable $timer"
    unit=$(systemctl show -p Unit --value -- "$timer" </dev/null)
    systemctl show -p Result,ExecMainStatus,MainPID -- "$unit" </dev/null | sed "s/^/timer $timer /"
done

[ "$inside" = yes ] && [ -r ledger ] || exit 0
awk '$4 == "begin" { print $3 }' ledger | tail -n 50 | while IFS= read -r run; do
    case $run in *[!0-9A-Za-z-]*) continue ;; esac
    [ -r "runs/$run/request" ] && sed -n "s/^by /by $run /p" "runs/$run/request"
    [ ! -r "runs/$run/events" ] || sed -n "s/^[0-9]* verdict \([^ ]*\) invocation=\([0-9a-f]*\) .*/verdict $run \1 \2/p" "runs/$run/events"
done
exit 0
