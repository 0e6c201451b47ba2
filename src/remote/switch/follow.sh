# Prints the events of one run as they come, from event number SKIP on, until it has ended and its request
# is gone. Only reads: the switch does not depend on who watches. A run that the host does not have is `absent`.
# With `verify` it also ends when the host begins to wait for the verify command, which its client then runs.
# args: root run skip verify|watch
set -eu
cd "$1/.shipit/runs"
[ -e "$2/request" ] || { echo absent; exit 0; }
cd "./$2"
[ -e events ] || : >>events

# lines: the ids of the two processes behind it, then the events, and `tick` once a second. A pipe takes what fits as a
# whole, so that no tick stands within an event.
lines() {
    while sleep 1; do echo tick; done &
    set -- "$1" "$!"
    tail -n "+$(($1 + 1))" -f -s 0.05 events &
    echo "$2 $!"
    wait
}

lines "$3" 2>/dev/null | {
    read -r processes
    # shellcheck disable=SC2064,SC2086 # process ids, of now
    trap "kill $processes 2>/dev/null || :" EXIT
    idle=0 stuck=0
    while IFS= read -r line; do
        if [ "$line" != tick ]; then
            printf 'event %s\n' "$line"
            case $4/${line#* } in
            */'ended '*) break ;;
            'verify/step switch verify started') echo verify; exit 0 ;;
            esac
            idle=0 stuck=0
            continue
        fi
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
            # Five seconds without a conductor: the guard does not run, and the user must know.
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
