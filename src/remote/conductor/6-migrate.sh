# The conductor's migration: a oneshot unit with a fixed name, run from `next`. It starts at most once for a
# release; its outcome is written down by the host. Nothing live changes here.
# shellcheck shell=dash disable=SC2034,SC2154

# migrate UNIT SECONDS
step_migrate() {
    local unit="$1" limit="$2" record=releases/$next/migration state=none life='' old='' since
    [ ! -e "$record" ] || read -r state _ <"$record" || { cause='the migration record could not be read'; return 1; }
    case $state in
    ok) event note migrate 'had run before'; return 0 ;;
    failed) cause="the migration of $next failed before; it never runs twice for a release"; return 1 ;;
    started) migration_rejoin "$unit" "$limit"; return ;;
    esac
    rm -f -- next.tmp && ln -s -- "releases/$next" next.tmp && mv -fT -- next.tmp ../next || { cause='next could not be set'; return 1; }
    ctl stop "$unit" || { cause="$unit could not be made ready: $(tail -n 1 "$R/said")"; return 1; }
    look "$unit" && [ "$(systemctl "--$manager" show -p CollectMode --value -- "$unit" 2>/dev/null)" = inactive ] ||
        { cause="how $unit ends could not be told: it needs to be readable, with CollectMode=inactive"; return 1; }
    old=$p_InvocationID since=$(date +%s%N)
    migration_write started && ledger migrating "$next" || { cause='the migration record could not be written'; return 1; }
    ctl --no-block start "$unit" || { migration_failed; cause="$unit could not be started: $(tail -n 1 "$R/said")"; return 1; }
    migration_wait "$unit" "$limit"
}

# Waits for the end. RemainAfterExit=yes keeps a finished one `active`; without it a success is unloaded at once, and
# then looks like one that never ran. Reads life, old and since of its caller.
migration_wait() {
    local end
    now; end=$((now + $2 * 100))
    while :; do
        look "$1" || { cause="systemd could not be asked about $1"; return 1; }
        [ "${p_InvocationID:-$old}" = "$old" ] || life=$p_InvocationID invocations="$invocations $p_InvocationID"
        case $p_ActiveState/${p_Job:-0} in
        failed/0)
            migration_failed
            cause="the migration failed: $1, result $p_Result, status $p_ExecMainStatus"
            # It may show how an earlier one ended: this one has no life.
            [ -n "$life" ] || migration_never "$1"
            return 1 ;;
        active/0 | inactive/0)
            [ -n "$life" ] || migration_unseen "$1" || return 1
            migration_write ok && ledger migrated "$next"
            return ;;
        esac
        now
        if [ "$now" -ge "$end" ] || cancelled; then
            ctl stop "$1" || :
            migration_failed
            cause="the migration was stopped after $2s (timeout)"
            [ "$now" -ge "$end" ] || cause='the migration was stopped on request'
            return 1
        fi
        sleep 0.1
    done
}
