# The conductor's backup: the oneshot unit of `migrate.before`, such as a database dump, which must succeed before the
# migration starts. Unlike a migration it may run again: one whose end was not observed does not count. How it is waited
# for is in 6-job.sh. Nothing live changes here.
# shellcheck shell=dash disable=SC2034,SC2154

step_backup() {
    backup "$@" && return
    cause="$cause; the migration did not run"
    return 1
}

backup() {
    local unit timeout end invocation='' old='' asked_at='' outcome='' what=backup own='' place=''
    arguments 'unit timeout' "$@" || return 1
    # An earlier attempt of this run got past it.
    ! marked backed-up || return 0
    [ ! -e "releases/$next/migration" ] || { event note backup 'not made: the migration has already run'; return 0; }
    rm -f -- "releases/$next/backup"
    now; end=$((now + timeout * 100))
    need_unit "$unit" || return 1
    observable || return 1
    # One that stops is an earlier backup: what it shows is not about this one.
    while [ "$p_ActiveState" = deactivating ]; do
        ! stop_requested || return 1
        now; [ "$now" -lt "$end" ] || { cause="$unit does not stop"; return 1; }
        sleep 0.1
        need_unit "$unit" || return 1
    done
    if running; then
        backup_join || return 1
    else
        job_ready || return 1
        own=yes
        mark backup-started || { cause='the mark could not be written'; return 1; }
        now; end=$((now + timeout * 100))
        job_start || return 1
    fi
    job_wait || return 1
    backup_place
    if [ -n "$place" ]; then
        write_beside "$next" backup "$place" || { cause='the location of the backup could not be recorded'; return 1; }
        event backup "$place"
    fi
    # Without the mark another attempt makes another backup.
    mark backed-up || :
}

# It runs already: an earlier attempt of this run started it, or a timer, or a user.
backup_join() {
    ! marked backup-started || own=yes
    # A job that waits shows the invocation before it.
    case $p_ActiveState in inactive | failed) old=$p_InvocationID ;; esac
    event note backup "$unit is already running: waiting until it ends"
    job_asked
}

# Sets place to what the unit printed last as `backup: PLACE`, or to nothing. A busy host writes its journal late: this
# waits for the end of the job in it, and three seconds for what came before that.
backup_place() {
    local found='' until over='' lines
    now; until=$((now + 1500))
    while [ -z "$place" ] && [ "$now" -lt "$until" ]; do
        if lines=$(unit_journal "$unit"); then
            place=$(printf '%s\n' "$lines" | printed_place)
        fi
        [ -n "$place$over" ] || { start_in_journal && [ -n "$found" ] && over=yes until=$((now + 300)); }
        [ -n "$place" ] || sleep 0.2
        now
    done
    [ -n "$place$over" ] ||
        event note backup 'the end of the backup is not in the journal: any location that it printed is unknown'
}

# The place in the last line of stdin, a journal, in which this invocation printed one. It is data from a program: one
# with a control character or with invalid UTF-8, and a very long one, is none. A line that journald read after its
# process was gone has no invocation id: it counts if it came after the start.
printed_place() {
    awk -v id="$invocation" -v old="$old" -v since="${asked_at%???}" '
        function plain(s,    out, c) {
            while (match(s, /\\./)) {
                c = substr(s, RSTART + 1, 1)
                if (c !~ /["\\\/]/) return ""
                out = out substr(s, 1, RSTART - 1) c
                s = substr(s, RSTART + 2)
            }
            return out s
        }
        !match($0, /"__REALTIME_TIMESTAMP":"[0-9]*/) { next }
        { late = substr($0, RSTART + 24, RLENGTH - 24) + 0 >= since + 0 }
        { of = match($0, /"_SYSTEMD_INVOCATION_ID":"[0-9a-f]+/) ? substr($0, RSTART + 26, RLENGTH - 26) : "" }
        of == "" ? !late : id == "" ? of == old || !late : of != id { next }
        # Said by systemd about the unit.
        /"_PID":"1"/ { next }
        match($0, /"MESSAGE":"backup: ([^"\\]|\\.)*"/) {
            at = plain(substr($0, RSTART + 19, RLENGTH - 20))
            gsub(/^ +| +$/, "", at)
            if (at != "" && length(at) <= 1024) place = at
        }
        END { print place }'
}
