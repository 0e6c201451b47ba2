# What `status` needs beside observe.sh: health now, the release of each process, sockets, timers, who deployed. The
# conductor's functions stand above. One fact a line; changes nothing; what cannot be read is `unreadable`.
# args: root app services… (each the named arguments `unit`, `socket` and those of a check, as one line)
# shellcheck shell=dash disable=SC2034,SC2154
root=$1 app=$2 units=''
shift 2
read -r uptime _ </proc/uptime && echo "uptime ${uptime%.*}"
manager=system phase=status detail=''
inside=no target_release=-
if cd "$root/.shipit" 2>/dev/null; then inside=yes && target_release=$(is_current); fi

# service WORD…
service() {
    local unit socket kind target status contains release pid cwd_release exe_release
    arguments "unit socket $check_arguments" "$@" || { echo "unreadable a service: $cause"; return; }
    units="$units $unit"
    pid=$(systemctl show -p MainPID --value -- "$unit" </dev/null) || echo "unreadable the process of $unit"
    # Only of a user's own processes, or as root, can this be read; that it cannot is not an error.
    if [ "${pid:-0}" != 0 ] && [ "$inside" = yes ] && process_releases "$pid"; then
        case $cwd_release$exe_release in '') ;; *) echo "from $unit ${cwd_release:-$exe_release}" ;; esac
    fi
    [ "$socket" = - ] ||
        TZ=UTC systemctl show -p Listen -- "$socket" </dev/null | sed -n "s/^Listen=/listens $socket /p"
    [ "$release" = - ] || release=$target_release
    [ "$kind" != none ] || return 0
    if probe 2; then echo "health $unit ok"; else printf 'health %s failed %s\n' "$unit" "$detail"; fi
}

for line in "$@"; do
    set -f
    # shellcheck disable=SC2086 # a line splits at its spaces; its bytes are encoded
    set -- $line
    set +f
    service "$@"
done

# The timers named after the app, and those that start a unit of it.
# Where nothing matches, list-unit-files of 252 fails, so one unit that every host has is asked for too.
# shellcheck disable=SC2086 # unit names
timers=$({ systemctl list-unit-files --no-legend --no-pager -- "$app.timer" "$app-*.timer" sysinit.target &&
    { [ -z "$units" ] || systemctl show -p TriggeredBy --value -- $units | tr ' ' '\n'; }; } </dev/null) ||
    echo 'unreadable the timers'
printf '%s\n' "$timers" | sed -n 's/^\([^ ]*[^@ ]\.timer\)\( .*\)\{0,1\}$/\1/p' | sort -u | while IFS= read -r timer; do
    TZ=UTC systemctl show -p ActiveState,UnitFileState,Unit,LastTriggerUSec \
        -p NextElapseUSecRealtime,NextElapseUSecMonotonic -- "$timer" </dev/null |
        sed "s/^/timer $timer /" || echo "unreadable $timer"
    unit=$(systemctl show -p Unit --value -- "$timer" </dev/null)
    systemctl show -p Result,ExecMainStatus,MainPID -- "$unit" </dev/null | sed "s/^/timer $timer /"
done

[ "$inside" = yes ] && [ -r ledger ] || exit 0
awk '$4 == "begin" { print $3 }' ledger | tail -n 50 | while IFS= read -r run; do
    case $run in *[!0-9A-Za-z-]*) continue ;; esac
    [ -r "runs/$run/request" ] && sed -n "s/^by /by $run /p" "runs/$run/request"
    [ ! -r "runs/$run/events" ] || verdicts "runs/$run/events" | sed "s/^/verdict $run /"
done
exit 0
