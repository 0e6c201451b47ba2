# How a job ended that the conductor did not see begin or end: by the journal. The caller declares what 6-job.sh lists.
# Never here: a start or a stop.
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

# The start failed by its exit status. Its job may be queued all the same, or be over already. Fails when nothing ran
# (outcome is failed), or when that is unknown.
job_began() {
    local found='' until why
    why=$(ctl_output)
    # A busy host writes its journal late.
    now; until=$((now + 500))
    while [ "$now" -lt "$until" ]; do
        # job_wait asks a systemd that does not answer.
        read_unit "$unit" || return 0
        ! running && [ "$p_InvocationID" = "$old" ] || return 0
        start_in_journal && [ -n "$found" ] && return 0
        sleep 0.2
        now
    done
    start_in_journal || {
        job_unknown "systemctl start failed ($why), and neither systemd nor the journal shows whether it ran"
        return 1
    }
    [ -z "$found" ] || return 0
    outcome=failed cause="$unit could not be started: $why"
    return 1
}

# It is over and no invocation was seen: too short for that, or never begun, because a unit that it needs or a condition
# failed. `systemctl start` may succeed then, and Result= is "success". The journal has the end of its job.
job_unseen() {
    local found='' until
    now; until=$((now + 1500))
    while [ -z "$found" ] && [ "$now" -lt "$until" ]; do
        sleep 0.2
        start_in_journal
        now
    done
    case $found in
    ran) return 0 ;;
    never) outcome=failed; job_never ;;
    *) outcome=unknown
        cause="it is unknown whether $unit ran: its end was not observed (add RemainAfterExit=yes to it)" ;;
    esac
    return 1
}
