# The record of what is done beside switches, which the ledger does not have: `actions` in $ROOT/.shipit, a line each,
# in at most two files. Never here: what a line means.
# shellcheck shell=dash

# record WORD…: appends `UTC WORD… .`, flushed. An action does not fail because the record cannot be written. A power
# cut may have torn the line before: each begins with an empty one, and one without its last word is not read.
record() {
    local size
    size=$(wc -c 2>/dev/null <actions) || size=0
    [ "$size" -lt 65536 ] || mv -fT -- actions actions.1
    { printf '\n%s %s .\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$*" >>actions; } 2>/dev/null && sync actions 2>/dev/null
}
