# Tries how one instance of the app stops, while the prober (drain.pl) asks it as clients do: an idle one, which is
# started for it and stops again, or a live one, which restarts. Prints what it observed; drain_back.sh undoes it.
# args: root app access by mode(idle|live|back) slot|- server|- HAProxy-socket|- path|-(no requests) and the named
# arguments of a verdict; `back` only puts back what an earlier trial left, and needs no more arguments.
# exits: 30 another request exists (printed) · 59 the lock of the requests could not be taken
#        62 nothing was tested (printed) · 63 the instance is not as it was before the trial (printed)
# shellcheck shell=dash disable=SC2034,SC2154
root=$1 app=$2 access=$3 by=$4 mode=$5 slot=$6 server=$7 at=$8 path=$9
shift 9
prober='' was='' killed='' token=$since-$$

# leave STATUS: however the trial ended.
leave() {
    local code="$1" outcome=failed
    trap - EXIT
    trap '' HUP INT TERM
    [ -z "$prober" ] || kill "$prober" 2>/dev/null
    if [ -e trial ] && ! put_back; then print_cause "$cause"; code=63; fi
    rm -f -- trial.probes
    case $code in 0) outcome='done' ;; 63) outcome=unhealthy ;; esac
    record end "$token" "$outcome" || :
    exit "$code"
}

# begin_prober: until its clients are connected.
begin_prober() {
    local end why
    [ "$path" != - ] || return 0
    printf '' >trial.probes || { cause="$root/.shipit/trial.probes could not be written"; return 1; }
    # shellcheck disable=SC2154 # program: drain.pl, which script.rs puts before this
    perl -e "$program" -- "$kind" "$status" "$path" >>trial.probes 2>/dev/null 9>&- <<END &
$target
END
    prober=$!
    now; end=$((now + 6000))
    until grep -q -e '^ready' -e '^failed' trial.probes; do
        now; [ "$now" -lt "$end" ] || { cause='the prober did not start within 60s'; return 1; }
        sleep 0.05
    done
    cause=$(sed -n 's/^failed //p' trial.probes)
    [ -z "$cause" ]
}

end_prober() {
    [ -n "$prober" ] || return 0
    kill "$prober" 2>/dev/null
    wait "$prober" 2>/dev/null
    prober=''
    sed -n '/^[a-z]* [0-9]/s/^/probe /p' trial.probes
}

stop_instance() {
    if [ "$mode" = idle ]; then stop_in_time "$unit"; return; fi
    need_unit "$unit" || return 1
    was=$p_InvocationID before=" $unit=$p_InvocationID"
    ctl reset-failed "$unit" || :
    ctl --no-block restart "$unit" || { cause=$(printf '%s\n' "$answer" | failed_reason); return 1; }
    count_restarts "$unit"
    wait_until_gone "$unit"
}

cd "$root/.shipit" 2>/dev/null || fail 62 "$root is not set up for shipit, or $(id -un) cannot enter it"
# The client may be gone before the end.
trap '' PIPE
# Until the end: nothing else changes a unit of the app meanwhile.
lock_requests runs || exit 59
if print_request; then exit 30; fi
[ ! -e trial ] || put_back || fail 63 "$cause"
[ "$mode" != back ] || exit 0
arguments "$verdict_arguments" "$@" || fail 62 "$cause"
target_release=$(is_current) && [ "$target_release" != - ] || fail 62 'no release is live'
need_unit "$unit" || fail 62 "$cause"
[ "$path" = - ] || perl -e 'use Config; use Errno; use Socket qw(getaddrinfo SOCK_NONBLOCK)' 2>/dev/null ||
    fail 62 'it cannot be tested without perl'
case $mode/$p_ActiveState in
idle/inactive | idle/failed) [ "$(release_of "../slots/$slot")" = - ] || fail 62 "slots/$slot exists" ;;
live/active) { healthy && may_leave; } || fail 62 "$cause" ;;
*) fail 62 "it is $p_ActiveState" ;;
esac
record begin "$token" "$by" drain "$unit" || :
trap 'leave $?' EXIT
trap 'exit 1' HUP INT TERM
mark_trial || fail 62 "$root/.shipit/trial could not be written"
if [ "$mode" = idle ]; then begin_instance "$@"; else leave_router; fi || fail 62 "$cause"
{ print_manner "$unit" && begin_prober; } || fail 62 "$cause"
stop_instance || fail 62 "$cause"
end_prober
[ "$mode" != live ] || step_await "$@" || fail 63 "$cause"
print_end
[ -z "$killed" ] || echo killed
