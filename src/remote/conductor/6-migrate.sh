# The conductor's migration: a oneshot unit with a fixed name, run from `next`. It starts at most once for a
# release; the host records its outcome. One that runs is never abandoned, and stopped only when its own time is up or a
# user cancels. Nothing live changes here.
# shellcheck shell=dash disable=SC2034,SC2154

step_migrate() {
    local unit timeout
    local record=releases/$next/migration state=none invocation='' old='' asked_at='' end never_began starts=1
    arguments 'unit timeout' "$@" || return 1
    [ ! -e "$record" ] || read -r state _ <"$record" || { cause='the migration record could not be read'; return 1; }
    now; end=$((now + timeout * 100))
    case $state in
    none) ;;
    ok) event note migrate 'already ran for this release'; return 0 ;;
    started) migration_rejoin; return ;;
    *) cause="the migration of $next has already failed; a migration runs only once per release"; return 1 ;;
    esac
    need_unit "$unit" && migration_free || return 1
    [ "$p_CollectMode" = inactive ] || {
        cause="the host could not observe the end of $unit: the unit must be readable and have CollectMode=inactive"
        return 1
    }
    # One that remains after its exit would not start again.
    [ "$p_ActiveState" != active ] || insist stop "$unit" || {
        cause="$unit could not be prepared: $(ctl_output)"
        return 1
    }
    rm -f -- next.tmp && ln -s -- "releases/$next" next.tmp && mv -fT -- next.tmp ../next || {
        cause='the symlink next could not be created'
        return 1
    }
    # Without the time, the end of an earlier migration could be taken for the end of this one.
    old=$p_InvocationID asked_at=$(date +%s%N) || asked_at=''
    case $asked_at in '' | *[!0-9]*) cause='the time could not be read'; return 1 ;; esac
    migration_write started "$next" && ledger migrating "$next" || {
        # Nothing has begun, and nothing will.
        rm -f -- "$record" && sync "releases/$next" 2>/dev/null
        cause='the migration record could not be written'
        return 1
    }
    now; end=$((now + timeout * 100))
    until ctl --no-block start "$unit" || migration_began; do
        starts=$((starts + 1))
        [ "$never_began" = yes ] && [ "$starts" -le 3 ] || { [ "$never_began" = no ] || migration_failed; return 1; }
    done
    migration_wait
}

# running: the unit that was read last has a process or a job.
running() {
    case $p_ActiveState/$p_SubState/${p_Job:-0} in
    active/exited/0 | inactive/*/0 | failed/*/0) return 1 ;;
    esac
}

# Waits until no other migration runs: one of an earlier run, or one that a user started. The end of an earlier run's is
# recorded; if it fails, this one does not start.
migration_free() {
    local other='' state='' result=ok
    running || return 0
    [ ! -L ../next ] || other=$(readlink ../next) || { cause='next could not be read'; return 1; }
    other=${other##*releases/}
    event note migrate "$unit already runs${other:+ for release $other}: waiting until it ends"
    while running; do
        stop_requested && return 1
        now; [ "$now" -lt "$end" ] || {
            cause="$unit is still running${other:+ for release $other}: it was not stopped, and no other was started"
            return 1
        }
        sleep 0.2
        need_unit "$unit" || return 1
    done
    [ "$p_ActiveState" != failed ] || result=failed
    [ -z "$other" ] || [ ! -e "releases/$other/migration" ] || read -r state _ <"releases/$other/migration" || :
    case $state in started | interrupted)
        migration_write "$result" "$other"
        if [ "$result" = ok ]; then ledger migrated "$other"; else ledger failed "$other"; fi ;;
    esac
    [ "$result" = ok ] || cause="the migration${other:+ of $other} that was still running failed: result $p_Result"
    [ "$result" = ok ]
}

# Waits for the end. RemainAfterExit=yes keeps a finished one `active`; without it a success is unloaded at once, and
# then looks like one that never ran. A systemd that does not answer is asked for as long as the migration may take.
# Reads unit, timeout, end, invocation, old and asked_at of its caller.
migration_wait() {
    while :; do
        until read_unit "$unit"; do
            now; [ "$now" -lt $((end + 6000)) ] || { migration_unknown 'systemd does not answer'; return 1; }
        done
        [ "${p_InvocationID:-$old}" = "$old" ] ||
            invocation=$p_InvocationID invocations="$invocations $p_InvocationID"
        case $p_ActiveState/${p_Job:-0} in
        failed/0)
            migration_failed
            exit_detail='' && read_exit && how_it_ended "$unit"
            cause="the migration failed: $unit, $ended"
            # The unit may show how an earlier migration ended: this one has no invocation.
            [ -n "$invocation" ] || migration_never
            return 1 ;;
        active/0 | inactive/0)
            [ -n "$invocation" ] || migration_unseen || return 1
            migration_ok
            return ;;
        esac
        now; if [ "$now" -ge "$end" ] || cancelled; then migration_stop; return 1; fi
        sleep 0.1
    done
}
