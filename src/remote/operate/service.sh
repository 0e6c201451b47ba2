# Starts, stops, restarts or reloads one service of the app, and waits until it has done so, by the conductor's own
# verdict (its functions stand above). Refused while a switch holds the host. The ledger is about releases: this is
# recorded beside it.
# args: root app access verb by socket|- and the named arguments of a verdict
# exits: 28 the service was not restarted, reloaded, started or stopped · 30 another request exists (printed)
#        34 the service is not healthy afterwards
# shellcheck shell=dash disable=SC2034,SC2154
root=$1 app=$2 access=$3 verb=$4 by=$5 socket=$6
shift 6
# refused WHAT: systemctl failed; its reason follows.
refused() { fail 28 "$1: $(printf '%s\n' "${answer:-systemctl printed nothing}" | failed_reason)"; }

# outcome STATUS: the word for it in the record.
outcome() { case $1 in 0) echo 'done' ;; 34) echo unhealthy ;; *) echo failed ;; esac; }

# The journal of the invocations that the verdict saw.
print_journal() {
    local id wanted=''
    for id in $invocations; do wanted="$wanted -e $id"; done
    # shellcheck disable=SC2086 # a list of -e ID
    unit_journal "$unit" | grep -F ${wanted:--e none} | without_probes "$asked" | tail -n 40 | sed 's/^/journal /'
}

arguments "$verdict_arguments" "$@" || fail 28 "$cause"
cd "$root/.shipit" 2>/dev/null || fail 28 "$root is not set up for shipit, or $(id -un) cannot enter it"
# Between the check and the call no request can come: this is the lock that requests are made under.
lock_requests runs || fail 28 'another request is in progress'
if print_request; then exit 30; fi
target_release=$(is_current) || fail 28 'current could not be read'
need_unit "$unit" || fail 28 "$cause"
echo "was $p_ActiveState $p_SubState"
case $verb/$p_ActiveState/${p_Job:-0} in
start/active/0) echo "state $p_ActiveState $p_SubState"; exit 0 ;;
reload/active/*)
    [ "$(systemctl show -p CanReload -- "$unit")" = CanReload=yes ] || fail 28 "$unit has no ExecReload=" ;;
reload/*) fail 28 "$unit is $p_ActiveState: there is nothing to reload" ;;
esac
before=" $unit=$p_InvocationID"
logger -t shipit -p user.notice -- "$app: $by (as $(id -un)) requests: $verb $unit" 2>/dev/null || :
token=$since-$$
record begin "$token" "$by" "$verb" "$unit" || :
trap 'record end "$token" "$(outcome $?)" || :' EXIT
# systemd goes on: how it ended is not known here.
trap 'trap - EXIT; exit 1' HUP INT TERM
case $verb in
stop)
    [ "$socket" = - ] || ctl stop "$socket" || refused "$socket could not be stopped"
    exec 9<&-
    ctl stop "$unit" || refused "$unit could not be stopped"
    ;;
reload) ctl --no-block reload "$unit" || refused "$unit could not be reloaded" ;;
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
    read_unit "$unit" && case $p_ActiveState in inactive | failed) ;; *) fail 34 "$unit is $p_ActiveState again" ;; esac
elif step_await "$@"; then echo "from $where"
else
    print_cause "$cause"
    print_journal
    exit 34
fi
echo "state $p_ActiveState $p_SubState"
