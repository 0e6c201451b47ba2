# Prints what may explain a failure: the end of a run's events and journal, and the last lines of units' journals. What
# cannot be read is a line `unreadable …`; a run without a failed step, or without a journal, is none.
# args: root access(sudo|root) run|- units…
root=$1 access=$2 run=$3
shift 3
if [ "$run" != - ]; then
    events=$(sed -n -e '/ failed /p' -e '/ ended /p' "$root/.shipit/runs/$run/events" 2>/dev/null) || echo "unreadable the record of run $run"
    [ -z "$events" ] || printf '%s\n' "$events" | tail -n 4 | sed 's/^/event /'
    journal=$root/.shipit/runs/$run/journal
    if [ -r "$journal" ]; then tail -n 12 -- "$journal" | sed 's/^/journal /'
    elif [ -e "$journal" ]; then echo "unreadable the journal of run $run"
    fi
fi
for unit in "$@"; do
    echo "unit $unit"
    # The line is that of the sudo rule, word for word.
    lines=$(case $access in
        sudo) sudo -n /usr/bin/journalctl "--unit=$unit" --lines=1000 --output=json --no-pager ;;
        *) journalctl "--unit=$unit" --lines=1000 --output=json --no-pager ;;
    esac 2>/dev/null </dev/null) || echo "unreadable the journal of $unit"
    [ -z "$lines" ] || printf '%s\n' "$lines" | tail -n 40 | sed 's/^/said /'
done
