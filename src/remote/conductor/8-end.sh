# How a run of the conductor ends: confirmed, taken back, or handed to a person; with the evidence. The
# request goes last of all. Nothing here decides which list is carried out.
# shellcheck shell=dash disable=SC2034,SC2154

# confirm: past this mark there is no automatic way back.
step_confirm() {
    sync -f . 2>/dev/null && mark confirmed ||
        { rm -f -- "$R/confirmed"; cause='the confirmation could not be written'; return 1; }
    ledger verified "$next"
}

revert() {
    mark reverting || :
    ledger failed "$next"
    # What the old release says once it is back explains nothing.
    lives=$invocations
    for attempt_revert in 1 2 3; do
        carry_out revert && ledger reverted "$next" && finish reverted "$why"
        event note revert "attempt $attempt_revert failed: $cause"
    done
    ledger degraded "$next"
    ln -f -- "$R/request" degraded
    finish degraded "$why; going back failed too: $cause"
}

# finish OUTCOME CAUSE: the evidence, the last event, and last of all the request.
finish() {
    local numbers live
    measure_end
    # A conductor that died took its probes with it: half a number is none.
    numbers=''
    if ! marked attempt-2; then numbers=$(measured); fi
    [ "$1" = deployed ] || evidence
    rm -f -- ../next next.tmp current.tmp current.gone
    live=$(is_current) || live=unreadable
    [ "$1" != deployed ] || rm -f degraded
    [ "$1" = deployed ] || step_spare
    event ended "$1" "$live" "${numbers:--}" "${2:--}"
    sync "$R/events" 2>/dev/null || :
    rm -f -- request
    sync . 2>/dev/null || :
    exit 0
}

# The journal of exactly the lives that this run saw.
evidence() {
    local unit id
    want=''
    for id in ${lives:-$invocations}; do case $want in *"$id"*) ;; *) want="$want $id" ;; esac; done
    [ -n "$want" ] || return 0
    sed -n 's/^unit //p' "$R/request" | while IFS= read -r unit; do
        journal_of "$unit"
    done | grep_lives | tail -n 60 >>"$R/journal" 2>/dev/null
}

# The newest lines of a unit, as systemd's JSON; nothing when they cannot be read.
journal_of() {
    case $access in
    sudo) sudo -n /usr/bin/journalctl "--unit=$1" --lines=1000 --output=json --no-pager ;;
    user) journalctl --user "--unit=$1" --lines=1000 --output=json --no-pager ;;
    *) journalctl "--unit=$1" --lines=1000 --output=json --no-pager ;;
    esac 2>/dev/null </dev/null
}

# Lines of the lives wanted. One that journald read when its process was gone already bears no life's id: it is
# ours if it came after the request.
grep_lives() {
    awk -v ids="$want" -v since="$(stat -c %Y "$R/request")000000" '
        BEGIN { n = split(ids, id, " ") }
        /INVOCATION_ID":/ { for (i = 1; i <= n; i++) if (index($0, id[i])) { print; next } next }
        match($0, /"__REALTIME_TIMESTAMP":"[0-9]*/) && substr($0, RSTART + 24, RLENGTH - 24) + 0 >= since + 0'
}
