# The conductor's migration: a oneshot unit with a fixed name, run from `next`. It starts at most once for a
# release; its outcome is written down by the host. Nothing live changes here.
# shellcheck shell=dash disable=SC2034,SC2154

# migrate UNIT SECONDS
step_migrate() {
    local unit="$1" limit="$2" record=releases/$next/migration state=none
    [ ! -e "$record" ] || read -r state _ <"$record" || { cause='the migration record could not be read'; return 1; }
    case $state in
    ok) event note migrate 'had run before'; return 0 ;;
    failed) cause="the migration of $next failed before; it never runs twice for a release"; return 1 ;;
    started) migration_rejoin "$unit" "$record"; return ;;
    esac
    rm -f -- next.tmp && ln -s -- "releases/$next" next.tmp && mv -fT -- next.tmp ../next || { cause='next could not be set'; return 1; }
    ctl stop "$unit" || { cause="$unit could not be made ready: $(tail -n 1 "$R/said")"; return 1; }
    migration_write started && ledger migrating "$next" || { cause='the migration record could not be written'; return 1; }
    ctl --no-block start "$unit" || { migration_failed; cause="$unit could not be started: $(tail -n 1 "$R/said")"; return 1; }
    migration_wait "$unit" "$limit"
}

# Waits for the end. RemainAfterExit=yes keeps a finished one `active`; without it a success is unloaded at
# once, so the journal is asked by the life that was seen running.
migration_wait() {
    local end
    now; end=$((now + $2 * 100))
    while :; do
        look "$1" || { cause="systemd could not be asked about $1"; return 1; }
        [ -z "$p_InvocationID" ] || invocations="$invocations $p_InvocationID"
        case $p_ActiveState/${p_Job:-0} in
        failed/0)
            migration_failed
            cause="the migration failed: $1, result $p_Result, status $p_ExecMainStatus"
            return 1 ;;
        active/0 | inactive/0) migration_write ok && ledger migrated "$next"; return ;;
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

# The conductor died while the migration ran. Still running: wait for it. Over, and systemd remembers how:
# take that. Otherwise nobody knows, and a person is asked.
migration_rejoin() {
    look "$1" || { cause="systemd could not be asked about $1"; return 1; }
    case $p_ActiveState/${p_SubState} in
    activating/* | active/exited | failed/*) migration_wait "$1" 600; return ;;
    esac
    migration_write interrupted
    ledger interrupted "$next"
    cause="the migration of $next was interrupted and nobody knows how far it came"
    return 1
}

migration_failed() { migration_write failed; ledger failed "$next"; }

# The record is replaced whole, so that a crash leaves the old word or the new one.
migration_write() {
    printf '%s %s\n' "$1" "$run" >"releases/$next/migration.tmp" && sync "releases/$next/migration.tmp" &&
        mv -fT -- "releases/$next/migration.tmp" "releases/$next/migration" && sync "releases/$next" || return 1
}
