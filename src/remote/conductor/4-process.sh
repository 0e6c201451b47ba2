# The running process: whether it serves before anything changes, whether it is still the same, from which release. Only
# reads.
# shellcheck shell=dash disable=SC2034,SC2154

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
            event note baseline "$unit is $p_ActiveState: the live release was not asked"
            return 0 ;;
        esac
        probe 2 && return 0
        stop_requested && return 1
        now; [ "$now" -lt "$end" ] || {
            cause="the live release $previous does not pass the health check of $unit either: $detail"
            return 1
        }
        sleep 0.1
    done
    return 1
}

# Sets exit_detail: how the main process ended, while the unit still shows it; the next start clears it. A status from
# 200 on is systemd's own, before the program ran (systemd.exec(5), "Process Exit Codes"): a second try ends the same.
read_exit() {
    case $p_ExecMainCode in
    1) exit_detail="status $p_ExecMainStatus" ;;
    2 | 3) exit_detail="signal $p_ExecMainStatus" ;;
    *) return 0 ;;
    esac
    case $p_ExecMainCode/$p_ExecMainStatus in
    1/200) exit_detail="$exit_detail: its WorkingDirectory= cannot be entered" ;;
    1/203) exit_detail="$exit_detail: its program of ExecStart= cannot be run" ;;
    1/216) exit_detail="$exit_detail: its Group= is not on this host" ;;
    1/217) exit_detail="$exit_detail: its User= is not on this host" ;;
    1/226) exit_detail="$exit_detail: a path that its sandbox names does not exist" ;;
    *) return 0 ;;
    esac
    hopeless="could not be started: $exit_detail"
}

# in_words N
in_words() { if [ "$1" = 1 ]; then echo once; else echo "$1 times"; fi; }

# same_process UNIT: true while the unit is active without a restart since the verdict began.
same_process() {
    need_unit "$1" || return 1
    invocations="$invocations $p_InvocationID"
    if [ "$p_NRestarts" != "$restarts" ] || [ "$p_InvocationID" != "$invocation" ]; then
        [ "$p_ActiveState" = active ] || read_exit
        cause="$1 crashed and was restarted (restarts $restarts -> $p_NRestarts, ${exit_detail:-result $p_Result})"
    elif [ "$p_ActiveState" != active ] && [ "$p_ActiveState" != reloading ]; then
        read_exit
        cause="$1 stopped running: $p_ActiveState/$p_SubState, result $p_Result, ${exit_detail:-status unknown}"
    else
        return 0
    fi
    return 1
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
