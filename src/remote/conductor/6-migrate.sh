# The conductor's migration: a oneshot unit with a fixed name, run from `next`. It starts at most once for a
# release; the host records its outcome. How it is waited for is in 6-job.sh. Nothing live changes here.
# shellcheck shell=dash disable=SC2034,SC2154

step_migrate() {
    local unit timeout end invocation='' old='' asked_at='' outcome='' what=migration own=yes
    local record=releases/$next/migration state=none was=''
    arguments 'unit timeout' "$@" || return 1
    [ ! -e "$record" ] || read -r state _ was <"$record" ||
        { cause='the migration record could not be read'; return 1; }
    now; end=$((now + timeout * 100))
    case $state in
    none) ;;
    ok) event note migrate 'already ran for this release'; return 0 ;;
    started) migration_rejoin; migration_end $?; return ;;
    *) cause="the migration of $next has already failed; a migration runs only once per release"; return 1 ;;
    esac
    need_unit "$unit" && migration_free && job_ready || return 1
    point_next || return 1
    migration_write started "$next" "${old:--}" && ledger migrating "$next" || {
        # Nothing has begun, and nothing will.
        rm -f -- "$record" && sync "releases/$next" 2>/dev/null
        cause='the migration record could not be written'
        return 1
    }
    now; end=$((now + timeout * 100))
    job_start && job_wait
    migration_end $?
}

# point_next: `next` -> the release that is about to go live.
point_next() {
    rm -f -- next.tmp && ln -s -- "releases/$next" next.tmp && mv -fT -- next.tmp ../next && return
    cause='the symlink next could not be created'
    return 1
}

# Waits until no other migration runs: one of an earlier run, or one that a user started. The end of an earlier run's is
# recorded; if it fails, this one does not start.
migration_free() {
    local other='' state='' result=ok
    running || return 0
    [ ! -L ../next ] || other=$(readlink ../next) || { cause='the symlink next could not be read'; return 1; }
    other=${other##*releases/}
    event note migrate "$unit is already running${other:+ for release $other}: waiting until it ends"
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

# The conductor died while the migration ran. Still running: wait for it. Over, and systemd still shows how: believe it.
# Otherwise its end is unknown, and the user is asked.
migration_rejoin() {
    until read_unit "$unit"; do
        now; [ "$now" -lt "$end" ] || { job_unknown 'systemd does not answer'; return 1; }
    done
    # Killed before the start: the unit shows an earlier release's migration.
    if [ "$p_InvocationID" = "${was:--}" ] && ! running; then job_ready && job_start && job_wait; return; fi
    invocation=$p_InvocationID
    if running || [ "$p_ActiveState" != inactive ]; then job_wait; return; fi
    outcome=unknown cause="the migration of $next was interrupted; how far it got is unknown"
    return 1
}

# migration_end STATUS: records how it ended, by the status and the outcome of what waited for it.
migration_end() {
    case $1$outcome in
    0*)
        if migration_write ok "$next" || migration_write ok "$next"; then
            ledger migrated "$next" || ledger migrated "$next" || :
            return 0
        fi
        job_unknown 'it succeeded, but its record could not be written' ;;
    *failed) migration_write failed "$next"; ledger failed "$next" ${canceled:+"$canceled"}; return 1 ;;
    esac
    # Only the user can say how it ended. It may still run, so its directory stays.
    migration_write interrupted "$next"
    ledger interrupted "$next"
    show_unit "$unit" && ! running || keep_next=yes
    return 1
}

# unended: a migration of this release began, and its end is not recorded. So also where that cannot be read.
unended() {
    local state=''
    [ -e "releases/$next/migration" ] || return 1
    read -r state _ <"releases/$next/migration" || :
    case $state in '' | started) ;; *) return 1 ;; esac
}

# migration_write WORD RELEASE [INVOCATION]: the invocation is the one that the unit had before.
migration_write() { write_beside "$2" migration "$1 $run${3:+ $3}"; }

# write_beside RELEASE NAME LINE: what the host keeps beside a release. It is replaced whole, so that a crash leaves the
# old line or the new one.
write_beside() {
    local at=releases/$1
    printf '%s\n' "$3" >"$at/$2.tmp" && sync "$at/$2.tmp" && mv -fT -- "$at/$2.tmp" "$at/$2" && sync "$at" || return 1
}
