# What `status` needs beside observe.sh: health now, the release of each process, sockets, timers, who deployed. The
# conductor's functions stand above. One fact a line, and at last `whole`; changes nothing; what cannot be read is
# `unreadable`.
# args: root app services… (each the named arguments `unit`, `socket`, `slot` and those of a check, as one line)
# shellcheck shell=dash disable=SC2034,SC2154
set -e
root=$1 app=$2 units='' triggers=''
shift 2
read -r uptime _ </proc/uptime && echo "uptime ${uptime%.*}"
manager=system phase=status detail=''
inside=no target_release=-
if cd "$root/.shipit" 2>/dev/null; then
    inside=yes
    target_release=$(is_current) || { target_release=- && { [ ! -L ../current ] || echo 'unreadable current'; }; }
fi

# service WORD…
service() {
    local unit socket slot kind target status contains release pid cwd_release exe_release
    arguments "unit socket slot $check_arguments" "$@" || { echo "unreadable a service: $cause"; return; }
    units="$units $unit"
    pid=$(systemctl show -p MainPID --value -- "$unit" </dev/null) || echo "unreadable the process of $unit"
    # Only of a user's own processes, or as root, can this be read; that it cannot is not an error.
    if [ "${pid:-0}" != 0 ] && [ "$inside" = yes ] && process_releases "$pid"; then
        case $cwd_release$exe_release in '') ;; *) echo "from $unit ${cwd_release:-$exe_release}" ;; esac
    fi
    if [ "$socket" != - ]; then
        if listens=$(systemctl show -p Listen -- "$socket" </dev/null); then
            printf '%s\n' "$listens" | sed -n "s/^Listen=/listens $socket /p"
        else echo "unreadable $socket"; fi
    fi
    [ "$release" = - ] || release=$target_release
    [ "$kind" != none ] || return 0
    # An instance without a slot rests, and another may answer at its address.
    [ "$slot" = - ] || [ "$inside" = no ] || [ -L "../slots/$slot" ] || return 0
    if probe 2; then echo "health $unit ok"; else printf 'health %s failed %s\n' "$unit" "$detail"; fi
}

for line in "$@"; do
    set -f
    # shellcheck disable=SC2086 # a line splits at its spaces; its bytes are encoded
    set -- $line
    set +f
    service "$@"
done

# due TIMER: prints when the timer was to start its unit after it last did, or after it was started itself: by its first
# OnCalendar=, which systemd reads in the time zone of the host.
due() {
    local last expression found
    last=$(printf '%s\n' "$shown" | sed -n 's/^LastTriggerUSec=\(.* UTC\)$/\1/p')
    [ -n "$last" ] || last=$(printf '%s\n' "$shown" | sed -n 's/^ActiveEnterTimestamp=\(.* UTC\)$/\1/p')
    expression=$(printf '%s\n' "$shown" | sed -n 's/^TimersCalendar={ OnCalendar=\(.*\) ; next_elapse=.*/\1/p')
    expression=${expression%%
*}
    [ -n "$last" ] && [ -n "$expression" ] || return 0
    found=$(systemd-analyze calendar --base-time="$last" -- "$expression" 2>/dev/null </dev/null) || return 0
    printf '%s\n' "$found" |
        sed -n -e "s/^ *(in UTC): /timer $1 Due=/p" -e "s/^ *Next elapse: \(.* UTC\)\$/timer $1 Due=\1/p"
}

# The timers named after the app, and those that start a unit of it.
# Where nothing matches, list-unit-files of 252 fails, so one unit that every host has is asked for too.
# shellcheck disable=SC2086 # unit names
if timers=$(systemctl list-unit-files --no-legend --no-pager \
    -- "$app.timer" "$app-*.timer" sysinit.target </dev/null) &&
    { [ -z "$units" ] || triggers=$(systemctl show -p TriggeredBy --value -- $units </dev/null); }; then
    triggers=$(printf '%s\n' "$triggers" | tr ' ' '\n')
else echo 'unreadable the timers'; fi
timers=$(printf '%s\n%s\n' "$timers" "$triggers" | sed -n 's/^\([^ ]*[^@ ]\.timer\)\( .*\)\{0,1\}$/\1/p')
timers=$(printf '%s\n' "$timers" | sort -u)
set -f
for timer in $timers; do
    if shown=$(TZ=UTC systemctl show -p ActiveState,UnitFileState,Unit,LastTriggerUSec,TimersCalendar \
        -p ActiveEnterTimestamp,RandomizedDelayUSec,AccuracyUSec \
        -p NextElapseUSecRealtime,NextElapseUSecMonotonic -- "$timer" </dev/null) &&
        unit=$(systemctl show -p Unit --value -- "$timer" </dev/null) && ended='' &&
        { [ -z "$unit" ] || ended=$(systemctl show -p Result,ExecMainStatus,MainPID -- "$unit" </dev/null); }; then
        printf '%s\n%s\n' "$shown" "$ended" | sed "s/^/timer $timer /"
        due "$timer"
    else echo "unreadable $timer"; fi
done
set +f

[ "$inside" = yes ] && [ -r ledger ] || { echo whole && exit 0; }
runs=$(awk '$4 == "begin" && $3 ~ /^[0-9A-Za-z-]+$/ { run[n++ % 50] = $3 }
    END { for (i = n > 50 ? n - 50 : 0; i < n; i++) print run[i % 50] }' ledger)
set --
for run in $runs; do
    [ ! -r "runs/$run/request" ] || set -- "$@" "runs/$run/request"
    [ ! -r "runs/$run/events" ] || set -- "$@" "runs/$run/events"
done
# A run that is removed meanwhile is none.
[ $# = 0 ] || awk 'BEGIN {
    for (i = 1; i < ARGC; i++) {
        split(ARGV[i], part, "/")
        while ((getline <ARGV[i]) > 0) {
            if (part[3] == "request" && /^by /) print "by", part[2], substr($0, 4)
            if (part[3] == "events" && $2 == "verdict" && $4 ~ /^invocation=[0-9a-f]+$/)
                print "verdict", part[2], $3, substr($4, 12)
        }
        close(ARGV[i])
    }
}' "$@"
echo whole
