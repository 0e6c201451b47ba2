# How a migration ended that the conductor did not see end: by the journal, by systemd, or by the user; and its record.
# Never here: the start of one. Reads unit, timeout, invocation, old and asked_at of step_migrate.
# shellcheck shell=dash disable=SC2034,SC2154

# start_in_journal: sets found to how the job of this start ended: ran, never, or nothing when the journal has no end of
# it. Fails when the journal cannot be read.
start_in_journal() {
    local lines
    found=''
    lines=$(unit_journal "$unit") || return 1
    found=$(printf '%s\n' "$lines" | awk -v "old=$old" -v "since=${asked_at%???}" '
        !/"JOB_RESULT":"/ || !/"JOB_TYPE":"start"/ || !match($0, /"__REALTIME_TIMESTAMP":"[0-9]*/) { next }
        substr($0, RSTART + 24, RLENGTH - 24) + 0 < since + 0 { next }
        { ran = match($0, /INVOCATION_ID":"[0-9a-f]+/) && substr($0, RSTART + 16, RLENGTH - 16) != old
            found = ran ? "ran" : "never" }
        END { print found }')
}

# The start failed by its exit status. Its job may be queued all the same, or be over already. Sets never_began when
# nothing ran, which is known: then it may be started again.
migration_began() {
    local found='' until why
    why=$(ctl_output) never_began=no
    # A busy host writes its journal late.
    now; until=$((now + 500))
    while [ "$now" -lt "$until" ]; do
        # migration_wait asks a systemd that does not answer.
        read_unit "$unit" || return 0
        ! running && [ "$p_InvocationID" = "$old" ] || return 0
        start_in_journal && [ -n "$found" ] && return 0
        sleep 0.2
        now
    done
    start_in_journal || {
        migration_unknown "systemctl start failed ($why), and neither systemd nor the journal shows whether it ran"
        return 1
    }
    [ -z "$found" ] || return 0
    never_began=yes cause="$unit could not be started: $why"
    return 1
}

# It is over and no invocation was seen: too short for that, or never begun, because a unit that it needs or a condition
# failed. `systemctl start` may succeed then, and Result= is "success". The journal has the end of its job.
migration_unseen() {
    local found='' until
    now; until=$((now + 1500))
    while [ -z "$found" ] && [ "$now" -lt "$until" ]; do
        sleep 0.2
        start_in_journal
        now
    done
    case $found in
    ran) return 0 ;;
    never) migration_failed; migration_never ;;
    *)
        migration_unknown
        cause="it is unknown whether $unit ran: its end was not observed (add RemainAfterExit=yes to it)" ;;
    esac
    return 1
}

# The conductor died while the migration ran. Still running: wait for it. Over, and systemd still shows how: believe it.
# Otherwise its end is unknown, and the user is asked.
migration_rejoin() {
    until read_unit "$unit"; do
        now; [ "$now" -lt "$end" ] || { migration_unknown 'systemd does not answer'; return 1; }
    done
    invocation=$p_InvocationID
    if running || [ "$p_ActiveState" != inactive ]; then migration_wait; return; fi
    migration_unknown
    cause="the migration of $next was interrupted; how far it got is unknown"
    return 1
}

# Its time is up, or the user asked to stop.
migration_stop() {
    local why="was stopped after ${timeout}s (timeout)"
    [ "$now" -ge "$end" ] || why='was canceled by a user'
    insist stop "$unit" || :
    if read_unit "$unit" && ! running; then
        migration_failed
        cause="the migration $why"
    else
        migration_unknown "it could not be stopped: $(ctl_output)"
    fi
}

migration_never() {
    cause="$unit did not run: a unit that it requires did not start, or one of its conditions was not met"
}

migration_failed() { migration_write failed "$next"; ledger failed "$next"; }

migration_ok() {
    migration_write ok "$next" || migration_write ok "$next" || {
        migration_unknown 'it succeeded, but its record could not be written'
        return 1
    }
    ledger migrated "$next" || ledger migrated "$next" || :
}

# migration_unknown WHY: only the user can say how it ended. It may still run, so its directory stays.
migration_unknown() {
    migration_write interrupted "$next"
    ledger interrupted "$next"
    show_unit "$unit" && ! running || keep_next=yes
    cause="the end of the migration of $next is unknown: ${1:-}"
}

# migration_write WORD RELEASE: the record is replaced whole, so that a crash leaves the old word or the new one.
migration_write() {
    local at=releases/$2
    printf '%s %s\n' "$1" "$run" >"$at/migration.tmp" && sync "$at/migration.tmp" &&
        mv -fT -- "$at/migration.tmp" "$at/migration" && sync "$at" || return 1
}
