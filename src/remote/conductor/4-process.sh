# The running process: whether it serves before anything changes, whether it is still the same, from which release. Only
# reads.
# shellcheck shell=dash disable=SC2034,SC2154

# waits UNIT SECONDS ANSWER: tells who follows how long this may take, and the last answer. At most 40 in a run: the
# disk may be full, and the blocks that are reserved for the events must take the last one too.
waits=0 waited_for=''
waits() {
    [ "$waits" -lt 40 ] && [ "$*" != "$waited_for" ] || return 0
    waits=$((waits + 1)) waited_for=$*
    event wait "$@"
}

# baseline: the live release must pass the check that the new one will be judged by; a check that nothing passes could
# not verify a revert either. A service that does not run, or dies meanwhile, proves nothing: this deploy may be the
# fix.
step_baseline() {
    local unit timeout kind target status contains release end
    arguments "unit timeout $check_arguments" "$@" || return 1
    [ "$release" = - ] || release=$previous
    now; end=$((now + timeout * 100))
    while need_unit "$unit"; do
        case $p_ActiveState in active | reloading) ;; *)
            event note baseline "$unit is $p_ActiveState: the live release was not checked"
            return 0 ;;
        esac
        probe 2 && return 0
        stop_requested && return 1
        waits "$unit" "$timeout" "$detail"
        now; [ "$now" -lt "$end" ] || {
            who_listens "$unit"
            cause="the live release $previous does not pass the health check of $unit either: $detail"
            return 1
        }
        sleep 0.1
    done
    return 1
}

# same_process UNIT: true while the unit is active without a restart since the verdict began; else gone is the unit.
same_process() {
    need_unit "$1" || return 1
    invocations="$invocations $p_InvocationID"
    if [ "$p_NRestarts" != "$restarts" ] || [ "$p_InvocationID" != "$invocation" ]; then
        [ "$p_ActiveState" = active ] || read_exit
        how_it_ended "$1"
        cause="$1 $crashed and was restarted (restarts $restarts -> $p_NRestarts, $ended)"
    elif [ "$p_ActiveState" != active ] && [ "$p_ActiveState" != reloading ]; then
        read_exit
        how_it_ended "$1"
        cause="$1 stopped running: $p_ActiveState/$p_SubState, $ended"
    else
        return 0
    fi
    gone=$1
    return 1
}

# A restart was requested. Until systemd carried it out a crash loop may have gone on, and systemd 252 goes on counting
# from there: that many restarts are not a crash of the new process.
restarted=''
count_restarts() { read_unit "$1" && restarted=" $1=${p_NRestarts:-0}$restarted" || :; }

# turn_times: ` stop=MS start=MS` of the unit that was read last: how long the old process took to end, and the new one
# to answer well. Nothing of what systemd did not see now.
turn_times() {
    [ "$turn" = restart ] || return 0
    # shellcheck disable=SC2086 # names and numbers
    printf '%s\n' $p_times |
        awk -F= -v healthy="$((good_at - active_at))" '
            { at[substr($1, 1, index($1, "T") - 1)] = $2 / 1000 }
            END {
                if (at["ActiveExit"] && at["InactiveExit"] - at["InactiveEnter"] < 1000 &&
                    at["InactiveExit"] >= at["InactiveEnter"]) printf " stop=%d", at["InactiveEnter"] - at["ActiveExit"]
                if (at["ActiveEnter"] >= at["InactiveExit"])
                    printf " start=%d", at["ActiveEnter"] - at["InactiveExit"] + healthy * 10
            }'
}

# from_release PID: sets where. A process of another release is refused; one that cannot be read is judged by its
# InvocationID, which is new since the flip. After a reload it is the old process, and may run from the old release.
from_release() {
    local cwd_release exe_release
    where=unreadable
    process_releases "$1" || { [ $? = 1 ]; return; }
    where=$target_release
    case $target_release in '') ;; "$cwd_release" | "$exe_release") return 0 ;; esac
    where=${exe_release:-${cwd_release:-elsewhere}}
    [ "$where" = elsewhere ] || [ "$turn" = reload ]
}
