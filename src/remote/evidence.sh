# Prints what may explain a failure: the end of a run's events and journal, and the last lines of units' journals.
# args: root access(sudo|root) run|- units…
root=$1 access=$2 run=$3
shift 3
if [ "$run" != - ]; then
    if cd "$root/.shipit/runs/$run" 2>/dev/null && events=$(grep -e ' failed ' -e ' ended ' events); then
        printf '%s\n' "$events" | tail -n 4 | sed 's/^/event /'
        tail -n 12 journal 2>/dev/null | sed 's/^/journal /'
    else echo "unreadable run $run"; fi
fi
for unit in "$@"; do
    echo "unit $unit"
    # The line is that of the sudo rule, word for word.
    case $access in
    sudo) sudo -n /usr/bin/journalctl "--unit=$unit" --lines=1000 --output=json --no-pager ;;
    *) journalctl "--unit=$unit" --lines=1000 --output=json --no-pager ;;
    esac 2>/dev/null </dev/null | tail -n 40 | sed 's/^/said /'
done
