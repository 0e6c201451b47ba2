# Prints the events of one run as they come, from event number SKIP on, until it has ended and its request
# is gone. Only reads: the switch does not depend on who watches. A run that the host does not have is `absent`.
# With `verify` it also ends when the host begins to wait for the verify command, which its client then runs.
# args: root run skip verify|watch
set -eu
cd "$1/.shipit/runs"
[ -e "$2/request" ] || { echo absent; exit 0; }
cd "./$2"
[ -e events ] || : >>events

# wakes: the ids of the two processes behind it; then a line whenever an event comes, and `tick` once a second. What the
# other lines are does not matter: the events are read from their file, where no two writers meet.
wakes() {
    while sleep 1; do echo tick; done &
    exec sh -c 'echo "$1 $$"; exec tail -n "+$2" -f -s 0.05 events' sh "$!" "$(($1 + 1))"
}

wakes "$3" 2>/dev/null | {
    read -r processes
    case $processes in '' | *[!0-9\ ]*) exit 1 ;; esac
    # shellcheck disable=SC2064 # of now
    trap "kill $processes 2>/dev/null || :" EXIT
    n=0 idle=0 stuck=0 part='' ended=''
    exec 3<events
    while [ "$n" -lt "$3" ] && IFS= read -r line <&3; do n=$((n + 1)); done
    while [ -z "$ended" ]; do
        if IFS= read -r line <&3; then
            line=$part$line
            printf 'event %s\n' "$line"
            case $4/${line#* } in
            */'ended '*) ended=yes ;;
            'verify/step switch verify started') echo verify; exit 0 ;;
            esac
            part='' idle=0 stuck=0
            continue
        fi
        # The beginning of a line that is not whole yet.
        part=$part$line
        # Without both processes nobody would wake this: its client connects again.
        read -r wake || exit 1
        [ "$wake" = tick ] || continue
        idle=$((idle + 1))
        # A run whose request is gone has written all it could (on a full disk that may be little).
        if ! [ ../../request -ef request ] && [ $((idle % 2)) = 0 ]; then
            # One that no conductor began was never placed: its script died on the way.
            [ -e attempt-1 ] || { echo absent; exit 0; }
            # Lines that were printed and then lost in a power cut make SKIP too large: the last event is searched for.
            last_end events | sed 's/^/event /'
            echo 'gone'
            exit 0
        fi
        if [ $((idle % 5)) = 0 ] && read_only request; then
            # The conductor waits for the disk, and can write no event. Half a minute is enough.
            stuck=$((stuck + 1))
            [ "$stuck" -lt 6 ] || { echo stuck; exit 0; }
            echo readonly
        elif [ $((idle % 5)) = 0 ]; then
            # Five seconds without a conductor: the host is loaded, or the guard does not run.
            [ -e attempt-1 ] || { echo waiting; exit 0; }
            echo beat
        fi
    done
    [ ! -s journal ] || sed 's/^/journal /' journal
    n=0
    while [ ../../request -ef request ] && [ "$n" -lt 100 ]; do
        sleep 0.05
        n=$((n + 1))
    done
}
