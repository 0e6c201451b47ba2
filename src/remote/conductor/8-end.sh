# How a run of the conductor ends: confirmed, reverted, or left to the user; with the evidence. The request is removed
# last of all. Nothing here decides which list is carried out.
# shellcheck shell=dash disable=SC2034,SC2154

# The switch ends because a user canceled it. The event comes before the step that fails by it.
canceled() { [ -n "$canceled" ] || event canceled; canceled=canceled; }

# confirm: past this mark there is no automatic way back.
step_confirm() {
    arguments '' "$@" || return 1
    # The whole file system, with what others wrote.
    alive
    if timeout --foreground -k 5 240 sync -f . 2>/dev/null && alive; then
        # The last moment for a cancel: the client tells one that comes later from this mark.
        stop_requested && return 1
        # One that came after the time for it, and before the end.
        [ ! -e "$R/refused" ] || { cause='the verify command failed'; return 1; }
        if mark confirmed; then record_verified; return 0; fi
    fi
    rm -f -- "$R/confirmed"
    cause='the confirmation could not be written'
    return 1
}

# confirmed: no revert has begun, and none will. A mark that was made, not flushed, and could not be removed is none.
confirmed() { marked confirmed && ! marked reverting; }

# A confirmed release is recorded before it is reported: the next command reads the ledger.
record_verified() { ledger verified "$next" || ledger verified "$next" || unrecorded=yes; }

revert() {
    wait_for_disk
    mark reverting || :
    # The live release that was only restarted was verified before, and is verified again below.
    [ "$next" = "$previous" ] || ledger failed "$next" ${canceled:+"$canceled"}
    # What the old release logs after the revert explains nothing.
    evidence_of=$invocations
    for attempt_revert in 1 2 3; do
        wait_for_disk
        if carry_out revert; then
            ledger reverted "$next"
            finish reverted "$why"
        fi
        event note revert "attempt $attempt_revert failed: $cause"
    done
    ledger degraded "$next"
    ln -f -- "$R/request" degraded
    finish degraded "$why; the revert failed too: $cause"
}

# finish OUTCOME CAUSE: the evidence, the last event, and last of all the request.
finish() {
    local numbers live tries=0
    measure_end
    wait_for_disk
    if [ "$1$unrecorded" = deployedyes ] && ! ledger verified "$next" && ! marked attempt-5; then exit 1; fi
    # A conductor that died took its probes with it: half of them are not a measurement.
    numbers=''
    if ! marked attempt-2; then numbers=$(measured); fi
    [ "$1" = deployed ] || evidence
    ! marked trial-runs || stop_trials
    [ -n "$keep_next" ] || unended || rm -f -- ../next
    rm -f -- next.tmp current.tmp current.gone slot.tmp
    live=$(is_current) || live=unreadable
    [ -z "$numbers" ] || ledger measured "$next" "$numbers" || :
    # A prune confirms nothing.
    [ "$1" != deployed ] || [ "$command" = prune ] || rm -f degraded
    [ "$1" = deployed ] || make_spare
    # A failure that could not be marked as final must not begin again: the request goes before it is reported.
    [ "$1" != failed ] || marked unswitched || { request_gone; sync . 2>/dev/null; }
    event ended "$1" "$live" "${numbers:--}" "${2:--}"
    sync "$R/events" 2>/dev/null || :
    leave_notice
    until request_gone; do
        tries=$((tries + 1))
        [ "$tries" -lt 5 ] || exit 1
        sleep 1
        wait_for_disk
    done
    sync . 2>/dev/null || :
    exit 0
}

# request_gone: removes the request of this run. Where a user removed it by hand, the one that is there is another's.
request_gone() {
    [ -e request ] || return 0
    [ request -ef "$R/request" ] || [ ! -e "$R/request" ] || return 0
    rm -f -- request && [ ! -e request ]
}

# The journal of exactly the invocations that this run saw.
evidence() {
    local unit id wanted=''
    for id in ${evidence_of:-$invocations}; do
        case $wanted in *"$id"*) ;; *) wanted="$wanted $id" ;; esac
    done
    [ -n "$wanted" ] || return 0
    for unit in $units; do alive; unit_journal "$unit"; done |
        of_invocations "$wanted" | without_probes "$asked" | tail -n 60 >>"$R/journal" 2>/dev/null
}

# of_invocations IDS: their lines of stdin. A line that journald read after its process was gone has no invocation id:
# it counts if it came after the request.
of_invocations() {
    awk -v ids="$1" -v since="${since}000000" '
        BEGIN { n = split(ids, id, " ") }
        /INVOCATION_ID":/ { for (i = 1; i <= n; i++) if (index($0, id[i])) { print; next } next }
        match($0, /"__REALTIME_TIMESTAMP":"[0-9]*/) && substr($0, RSTART + 24, RLENGTH - 24) + 0 >= since + 0'
}
