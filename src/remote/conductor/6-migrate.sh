# The conductor's migration: a oneshot unit with a fixed name, run from `next`. It starts at most once for a
# release; the host records its outcome. Nothing live changes here.
# shellcheck shell=dash disable=SC2034,SC2154

step_migrate() {
    local unit timeout
    local record=releases/$next/migration state=none invocation='' old='' since
    arguments 'unit timeout' "$@" || return 1
    [ ! -e "$record" ] || read -r state _ <"$record" || { cause='the migration record could not be read'; return 1; }
    case $state in
    ok) event note migrate 'had run before'; return 0 ;;
    failed) cause="the migration of $next failed before; it never runs twice for a release"; return 1 ;;
    started) migration_rejoin; return ;;
    esac
    rm -f -- next.tmp && ln -s -- "releases/$next" next.tmp && mv -fT -- next.tmp ../next || {
        cause='next could not be set'
        return 1
    }
    ctl stop "$unit" || { cause="$unit could not be prepared: $(ctl_output)"; return 1; }
    read_unit "$unit" &&
        [ "$(systemctl "--$manager" show -p CollectMode --value -- "$unit" 2>/dev/null)" = inactive ] || {
        cause="the host could not see how $unit ends: it must be readable, with CollectMode=inactive"
        return 1
    }
    old=$p_InvocationID since=$(date +%s%N)
    migration_write started && ledger migrating "$next" || {
        cause='the migration record could not be written'
        return 1
    }
    ctl --no-block start "$unit" || {
        migration_failed
        cause="$unit could not be started: $(ctl_output)"
        return 1
    }
    migration_wait
}

# Waits for the end. RemainAfterExit=yes keeps a finished one `active`; without it a success is unloaded at once, and
# then looks like one that never ran. Reads unit, timeout, invocation, old and since of its caller.
migration_wait() {
    local end
    now; end=$((now + timeout * 100))
    while :; do
        need_unit "$unit" || return 1
        [ "${p_InvocationID:-$old}" = "$old" ] ||
            invocation=$p_InvocationID invocations="$invocations $p_InvocationID"
        case $p_ActiveState/${p_Job:-0} in
        failed/0)
            migration_failed
            cause="the migration failed: $unit, result $p_Result, status $p_ExecMainStatus"
            # The unit may show how an earlier migration ended: this one has no invocation.
            [ -n "$invocation" ] || migration_never
            return 1 ;;
        active/0 | inactive/0)
            [ -n "$invocation" ] || migration_unseen || return 1
            migration_write ok && ledger migrated "$next"
            return ;;
        esac
        now
        if [ "$now" -ge "$end" ] || cancelled; then
            ctl stop "$unit" || :
            migration_failed
            cause="the migration was stopped after ${timeout}s (timeout)"
            [ "$now" -ge "$end" ] || cause='the migration was stopped on request'
            return 1
        fi
        sleep 0.1
    done
}
