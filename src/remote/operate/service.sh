# Starts, stops, restarts or reloads one service of the app, and waits until it has done so, by the conductor's own
# verdict (its functions stand above). Refused while a switch holds the host. The ledger is about releases: not written.
# args: root app access verb by unit socket|- start successes timeout watch kind target status contains release|-
# exits: 30 a switch holds the host (printed) · 33 not carried out · 34 carried out, and it is not well · 35 not allowed
# shellcheck shell=dash disable=SC2034,SC2154
root=$1 app=$2 access=$3 verb=$4 by=$5 unit=$6 socket=$7
shift 7
manager=system phase=drive attempt_revert=1 before='' invocations='' cause='' hopeless='' where='' said='' said_file=/dev/null
event() { :; }
ctl() {
    if [ "$access" = sudo ] && ! sudo -n -l /usr/bin/systemctl "$@" >/dev/null 2>&1 </dev/null; then
        echo "cause $(id -un) may not run \`sudo /usr/bin/systemctl $*\`"
        exit 35
    fi
    if [ "$access" = sudo ]; then answer=$(sudo -n /usr/bin/systemctl "$@" 2>&1 </dev/null)
    else answer=$(systemctl "$@" 2>&1 </dev/null); fi
}
# Not echo: dash's takes a backslash of somebody's answer for an escape, and `\c` for the end of the line.
cause_is() { printf 'cause %s\n' "$1"; }
fail() {
    cause_is "$2"
    exit "$1"
}
# What was asked of systemd in vain, with its own last line.
refused() { fail 33 "$1: $(printf %s "${answer:-systemctl said nothing}" | tail -n 1)"; }

cd "$root/.shipit" 2>/dev/null || fail 33 "$root has no shipit layout, or $(id -un) cannot enter it"
# Between the look and the call no request can come: this is the lock that requests are made under.
exec 9<runs && flock -w 30 9 || fail 33 'the host is busy with another request'
# Its holder may let go of it while we look; what is no plain file is nobody's.
case $(LC_ALL=C stat -c %F request 2>/dev/null) in '' | regular*) if cat request 2>/dev/null || [ -e request ]; then exit 30; fi ;; esac
target_release=$(is_current) || fail 33 'current could not be read'
look "$unit" || fail 33 "systemd could not be asked about $unit"
echo "was $p_ActiveState $p_SubState"
case $verb/$p_ActiveState/${p_Job:-0} in
start/active/0) echo "state $p_ActiveState $p_SubState"; exit 0 ;;
reload/active/*) [ "$(systemctl show -p CanReload -- "$unit")" = CanReload=yes ] || fail 33 "$unit has no ExecReload=" ;;
reload/*) fail 33 "$unit is $p_ActiveState: there is nothing to reload" ;;
esac
before=" $unit=$p_InvocationID"
logger -t shipit -p user.notice -- "$app: $by (as $(id -un)) asks for: $verb $unit" 2>/dev/null || :
turn=restart
case $verb in
stop)
    [ "$socket" = - ] || ctl stop "$socket" || refused "$socket could not be stopped"
    exec 9<&-
    ctl stop "$unit" || refused "$unit could not be stopped"
    ;;
reload) turn=reload && ctl --no-block reload "$unit" || refused "$unit could not be reloaded" ;;
*)
    # Starts by hand count against the start limit; one that was reached has closed the socket too.
    ctl reset-failed "$unit"
    if [ "$socket" != - ] && [ "$(systemctl is-active -- "$socket")" != active ]; then
        ctl stop "$unit"
        ctl reset-failed "$socket"
        ctl start "$socket" || refused "$socket could not be started"
    fi
    ctl --no-block "$verb" "$unit" || refused "$unit could not be ${verb}ed"
    count_restarts "$unit"
    ;;
esac
exec 9<&-
if [ "$verb" = stop ]; then
    look "$unit" && case $p_ActiveState in inactive | failed) ;; *) fail 34 "$unit is $p_ActiveState again" ;; esac
elif ! step_await "$unit" "$turn" "$@"; then
    cause_is "$cause"
    want=''
    for id in $invocations; do want="$want -e $id"; done
    set -- "--unit=$unit" --lines=1000 --output=json --no-pager
    # shellcheck disable=SC2086 # a list of -e ID
    { if [ "$access" = sudo ]; then sudo -n /usr/bin/journalctl "$@"; else journalctl "$@"; fi; } 2>/dev/null </dev/null |
        grep -F ${want:--e none} | tail -n 40 | sed 's/^/journal /'
    exit 34
else echo "from $where"; fi
echo "state $p_ActiveState $p_SubState"
