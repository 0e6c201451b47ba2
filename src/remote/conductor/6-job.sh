# A oneshot unit that the conductor starts and waits for: the backup before a migration, and the migration. One that
# runs is never abandoned, and stopped only when its own time is up or a user cancels. Never here: what its end means
# for the switch. The caller declares what (backup or migration), unit, timeout, end, own (this run started it),
# invocation, old, asked_at and outcome; a function that fails sets outcome (failed or unknown) and cause.
# shellcheck shell=dash disable=SC2034,SC2154

# running: the unit that was read last has a process or a job.
running() {
    case $p_ActiveState/$p_SubState/${p_Job:-0} in
    active/exited/0 | inactive/*/0 | failed/*/0) return 1 ;;
    esac
}

# observable: its end can be observed: one that fails stays loaded.
observable() {
    [ "$p_CollectMode" = inactive ] && return
    cause="the host could not observe the end of $unit: the unit must be readable and have CollectMode=inactive"
    return 1
}

# job_ready: it can be started, and its end can be observed.
job_ready() {
    observable || return 1
    # One that remains after its exit would not start again.
    [ "$p_ActiveState" != active ] || insist stop "$unit" || {
        cause="$unit could not be prepared: $(ctl_output)"
        return 1
    }
    old=$p_InvocationID
    job_asked
}

# Without the time, the end of an earlier job could be taken for the end of this one.
job_asked() {
    asked_at=$(date +%s%N) || asked_at=''
    case $asked_at in '' | *[!0-9]*) cause='the time could not be read'; return 1 ;; esac
}

# job_start: starts it. When nothing ran, which is known, it is started again, three times at most.
job_start() {
    local starts=1
    until ctl --no-block start "$unit" || job_began; do
        starts=$((starts + 1))
        [ "$outcome" = failed ] && [ "$starts" -le 3 ] || return 1
    done
}

# Waits for the end. RemainAfterExit=yes keeps a finished one `active`; without it a success is unloaded at once, and
# then looks like one that never ran. A systemd that does not answer is asked for as long as the job may take.
job_wait() {
    while :; do
        until read_unit "$unit"; do
            now; [ "$now" -lt $((end + 6000)) ] || { job_unknown 'systemd does not answer'; return 1; }
        done
        [ "${p_InvocationID:-$old}" = "$old" ] ||
            invocation=$p_InvocationID invocations="$invocations $p_InvocationID"
        case $p_ActiveState/$p_SubState/${p_Job:-0} in
        failed/*/0)
            outcome=failed exit_detail='' && read_exit && how_it_ended "$unit"
            cause="the $what failed: $unit, $ended"
            # The unit may show how an earlier one ended: this one has no invocation.
            [ -n "$invocation" ] || job_never
            return 1 ;;
        active/exited/0 | inactive/*/0)
            # ExecCondition= ends a unit without a failure.
            [ "$p_Result" != exec-condition ] || { outcome=failed && job_never; return 1; }
            [ -n "$invocation" ] || job_unseen
            return ;;
        esac
        now; if [ "$now" -ge "$end" ] || cancelled; then job_stop; return 1; fi
        sleep 0.1
    done
}

# Its time is up, or the user asked to stop.
job_stop() {
    local why="was stopped after ${timeout}s (timeout)"
    [ "$now" -ge "$end" ] || why='was canceled by a user'
    [ -n "$own" ] || {
        cause="canceled by a user; $unit is still running: this deploy did not start it, and did not stop it"
        outcome=unknown
        if [ "$now" -ge "$end" ]; then
            cause="$unit is still running after ${timeout}s: this deploy did not start it, and did not stop it"
        elif [ "$what" = backup ]; then canceled; fi
        return
    }
    insist stop "$unit" || :
    if read_unit "$unit" && ! running; then
        outcome=failed cause="the $what $why"
        case $why in *canceled*) canceled ;; esac
    else
        job_unknown "it could not be stopped: $(ctl_output)"
    fi
}

job_never() {
    cause="$unit did not run: a unit that it requires did not start, or one of its conditions was not met"
}

# job_unknown WHY
job_unknown() { outcome=unknown cause="the end of the $what of $next is unknown: $1"; }
