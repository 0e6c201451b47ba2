# Reads the events of a run, for scripts other than the conductor, which writes them: src/step/events.rs has the table.
# shellcheck shell=dash

# last_end FILE: the event of how the run ended, if it is there.
last_end() { grep -a '^[0-9]* ended ' "$1" | tail -n 1; }

# failures FILE: the events of failed steps, and of how the run ended.
failures() { sed -n -e '/^[0-9]* step .* failed /p' -e '/^[0-9]* ended /p' "$1" 2>/dev/null; }

# verdicts FILE: the services that passed, and the invocation that did: `UNIT INVOCATION` a line.
verdicts() { sed -n 's/^[0-9]* verdict \([^ ]*\) invocation=\([0-9a-f]*\) .*/\1 \2/p' "$1"; }
