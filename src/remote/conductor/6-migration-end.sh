# How a migration ended, where its end was not seen: asked of the journal, of systemd, or of a person; and its record.
# Never here: the start of one.
# shellcheck shell=dash disable=SC2034,SC2154

# It is over and no life of it was seen: too short for that, or never begun, because a unit that it needs or a
# condition failed. `systemctl start` may succeed then, and Result= is "success". The journal has the end of its job.
migration_unseen() {
    local told='' tries=0
    while [ -z "$told" ] && [ "$tries" -lt 25 ]; do
        sleep 0.2
        tries=$((tries + 1))
        told=$(journal_of "$1" | awk -v "old=$old" -v "since=${since%???}" '
            !/"JOB_RESULT":"/ || !/"JOB_TYPE":"start"/ || !match($0, /"__REALTIME_TIMESTAMP":"[0-9]*/) { next }
            substr($0, RSTART + 24, RLENGTH - 24) + 0 < since + 0 { next }
            { ran = match($0, /INVOCATION_ID":"[0-9a-f]+/) && substr($0, RSTART + 16, RLENGTH - 16) != old
                told = ran ? "ran" : "never" }
            END { print told }')
    done
    case $told in
    ran) return 0 ;;
    never) migration_failed && migration_never "$1" ;;
    *) migration_write interrupted && ledger interrupted "$next"
        cause="$1 ended unseen, and the journal does not say whether it ran (RemainAfterExit=yes in it would)" ;;
    esac
    return 1
}

# The conductor died while the migration ran. Still running: wait for it. Over, and systemd remembers how:
# take that. Otherwise nobody knows, and a person is asked.
migration_rejoin() {
    look "$1" || { cause="systemd could not be asked about $1"; return 1; }
    life=$p_InvocationID
    case $p_ActiveState/${p_SubState} in
    activating/* | active/exited | failed/*) migration_wait "$1" "$2"; return ;;
    esac
    migration_write interrupted
    ledger interrupted "$next"
    cause="the migration of $next was interrupted and nobody knows how far it came"
    return 1
}

migration_never() { cause="$1 did not run: a unit that it needs did not start, or a condition of it is not met"; }

migration_failed() { migration_write failed; ledger failed "$next"; }

# The record is replaced whole, so that a crash leaves the old word or the new one.
migration_write() {
    printf '%s %s\n' "$1" "$run" >"releases/$next/migration.tmp" && sync "releases/$next/migration.tmp" &&
        mv -fT -- "releases/$next/migration.tmp" "releases/$next/migration" && sync "releases/$next" || return 1
}
