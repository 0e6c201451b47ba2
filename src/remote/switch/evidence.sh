# Prints what may explain a failure: the end of a run's events and journal, and the last lines of units' journals. What
# cannot be read is a line `unreadable …`; a run without a failed step, or without a journal, has no line. At the end
# comes `whole`.
# args: root access(sudo|root) run|- units…
# shellcheck disable=SC2034 # access: for unit_journal
set -e
root=$1 access=$2 run=$3
shift 3
if [ "$run" != - ]; then
    events=$(failures "$root/.shipit/runs/$run/events") || echo "unreadable the record of run $run"
    events=$(printf '%s\n' "$events" | tail -n 4)
    [ -z "$events" ] || printf '%s\n' "$events" | sed 's/^/event /'
    journal=$root/.shipit/runs/$run/journal
    if [ -r "$journal" ]; then
        lines=$(tail -n 20 -- "$journal")
        [ -z "$lines" ] || printf '%s\n' "$lines" | sed 's/^/journal /'
    elif [ -e "$journal" ]; then echo "unreadable the journal of run $run"
    fi
fi
for unit in "$@"; do
    echo "unit $unit"
    lines=$(unit_journal "$unit") || echo "unreadable the journal of $unit"
    lines=$(printf '%s\n' "$lines" | tail -n 40)
    [ -z "$lines" ] || printf '%s\n' "$lines" | sed 's/^/line /'
done
echo whole
