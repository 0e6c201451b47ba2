# How a migration ended that the conductor did not see end: by the journal, by systemd, or by the user; and its record.
# Never here: the start of one. Reads unit, timeout, invocation, old and since of step_migrate.
# shellcheck shell=dash disable=SC2034,SC2154

# It is over and no invocation was seen: too short for that, or never begun, because a unit that it needs or a condition
# failed. `systemctl start` may succeed then, and Result= is "success". The journal has the end of its job.
migration_unseen() {
    local found='' tries=0
    while [ -z "$found" ] && [ "$tries" -lt 25 ]; do
        sleep 0.2
        tries=$((tries + 1))
        found=$(unit_journal "$unit" | awk -v "old=$old" -v "since=${since%???}" '
            !/"JOB_RESULT":"/ || !/"JOB_TYPE":"start"/ || !match($0, /"__REALTIME_TIMESTAMP":"[0-9]*/) { next }
            substr($0, RSTART + 24, RLENGTH - 24) + 0 < since + 0 { next }
            { ran = match($0, /INVOCATION_ID":"[0-9a-f]+/) && substr($0, RSTART + 16, RLENGTH - 16) != old
                found = ran ? "ran" : "never" }
            END { print found }')
    done
    case $found in
    ran) return 0 ;;
    never) migration_failed && migration_never ;;
    *)
        migration_write interrupted && ledger interrupted "$next"
        cause="$unit ended unseen, and the journal does not show whether it ran (RemainAfterExit=yes in it would)" ;;
    esac
    return 1
}

# The conductor died while the migration ran. Still running: wait for it. Over, and systemd still shows how: believe it.
# Otherwise its end is unknown, and the user is asked.
migration_rejoin() {
    need_unit "$unit" || return 1
    invocation=$p_InvocationID
    case $p_ActiveState/${p_SubState} in
    activating/* | active/exited | failed/*) migration_wait; return ;;
    esac
    migration_write interrupted
    ledger interrupted "$next"
    cause="the migration of $next was interrupted; how far it came is unknown"
    return 1
}

migration_never() { cause="$unit did not run: a unit that it needs did not start, or a condition of it is not met"; }

migration_failed() { migration_write failed; ledger failed "$next"; }

# The record is replaced whole, so that a crash leaves the old word or the new one.
migration_write() {
    printf '%s %s\n' "$1" "$run" >"releases/$next/migration.tmp" && sync "releases/$next/migration.tmp" &&
        mv -fT -- "releases/$next/migration.tmp" "releases/$next/migration" && sync "releases/$next" || return 1
}
