# How a run of the conductor ends: confirmed, reverted, or left to the user; with the evidence. The request is removed
# last of all. Nothing here decides which list is carried out.
# shellcheck shell=dash disable=SC2034,SC2154

# confirm: past this mark there is no automatic way back.
step_confirm() {
    arguments '' "$@" || return 1
    sync -f . 2>/dev/null && mark confirmed ||
        { rm -f -- "$R/confirmed"; cause='the confirmation could not be written'; return 1; }
    ledger verified "$next"
}

revert() {
    mark reverting || :
    ledger failed "$next"
    # What the old release logs after the revert explains nothing.
    evidence_of=$invocations
    for attempt_revert in 1 2 3; do
        carry_out revert && ledger reverted "$next" && finish reverted "$why"
        event note revert "attempt $attempt_revert failed: $cause"
    done
    ledger degraded "$next"
    ln -f -- "$R/request" degraded
    finish degraded "$why; the revert failed too: $cause"
}

# finish OUTCOME CAUSE: the evidence, the last event, and last of all the request.
finish() {
    local numbers live
    measure_end
    # A conductor that died took its probes with it: half of them are not a measurement.
    numbers=''
    if ! marked attempt-2; then numbers=$(measured); fi
    [ "$1" = deployed ] || evidence
    rm -f -- ../next next.tmp current.tmp current.gone
    live=$(is_current) || live=unreadable
    [ "$1" != deployed ] || rm -f degraded
    [ "$1" = deployed ] || make_spare
    event ended "$1" "$live" "${numbers:--}" "${2:--}"
    sync "$R/events" 2>/dev/null || :
    rm -f -- request
    sync . 2>/dev/null || :
    exit 0
}

# The journal of exactly the invocations that this run saw.
evidence() {
    local unit id wanted=''
    for id in ${evidence_of:-$invocations}; do
        case $wanted in *"$id"*) ;; *) wanted="$wanted $id" ;; esac
    done
    [ -n "$wanted" ] || return 0
    sed -n 's/^unit //p' "$R/request" | while IFS= read -r unit; do
        unit_journal "$unit"
    done | of_invocations "$wanted" | tail -n 60 >>"$R/journal" 2>/dev/null
}

# of_invocations IDS: their lines of stdin. A line that journald read after its process was gone has no invocation id:
# it counts if it came after the request.
of_invocations() {
    awk -v ids="$1" -v since="$(stat -c %Y "$R/request")000000" '
        BEGIN { n = split(ids, id, " ") }
        /INVOCATION_ID":/ { for (i = 1; i <= n; i++) if (index($0, id[i])) { print; next } next }
        match($0, /"__REALTIME_TIMESTAMP":"[0-9]*/) && substr($0, RSTART + 24, RLENGTH - 24) + 0 >= since + 0'
}
