# The record of what is done beside switches, which the ledger does not have: `actions` in $ROOT/.shipit, a line each,
# in at most two files. Never here: what a line means.
# shellcheck shell=dash

# record WORD…: appends `UTC WORD… after=EPOCH .`, flushed. EPOCH is the number of the last switch: it gives an action
# and a switch in the same second their order. An action does not fail because the record cannot be written. A power
# cut may have torn the line before: each begins with an empty one, and one without its last word is not read.
record() {
    local size after
    size=$(wc -c 2>/dev/null <actions) || size=0
    # Of two that come at once the second finds a short record: it must not replace what the first has moved.
    [ "$size" -lt 65536 ] ||
        { flock -w 5 8 && { [ "$(wc -c <actions)" -lt 65536 ] || mv -fT -- actions actions.1; }; } 2>/dev/null 8<actions
    after=$(awk '$4 == "begin" { e = $2 + 0 } END { printf "%.0f\n", e }' ledger 2>/dev/null) || after=0
    { printf '\n%s %s after=%s .\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$*" "$after" >>actions; } 2>/dev/null &&
        sync actions 2>/dev/null
}
