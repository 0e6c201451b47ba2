# The conductor's downtime meter: it probes the app through a switch. meter.pl is what probes; 2-measured.sh adds up
# what the probes saw. Never here: a change to anything.
# shellcheck shell=dash disable=SC2034,SC2154

# measure: probes every 50 ms from here on, each on its own, so that a slow answer does not hide the ones behind it.
# Four of them before anything changes say how the app answers otherwise.
step_measure() {
    local end
    meter_arguments="$meter_arguments$*
"
    begin_meter "$@" || return 1
    now; end=$((now + 50))
    until has_measured || { now; [ "$now" -ge "$end" ]; }; do sleep 0.05; done
}

# has_measured: the newest meter has written four lines of regular probes.
has_measured() {
    local kind by rest lines=0
    while [ "$lines" -lt 4 ] && read -r rest rest rest kind by rest; do
        [ "$kind-$by" = "extra-$meters" ] || [ "$by" != "$meters" ] || lines=$((lines + 1))
    done <"$R/probes"
    [ "$lines" = 4 ]
}

# begin_meter ARGUMENT…: each has a number of its own, also one that begins again: the pause between is no downtime.
begin_meter() {
    local kind target status contains release
    arguments "$check_arguments" "$@" || return 1
    release=- meters=$((meters + 1))
    { unset -f curl tail tr; measure_loop "$meters"; } >>"$R/probes" 2>/dev/null </dev/null 9>&- &
    measuring="$measuring $!"
}

# measure_loop NUMBER: in a process of its own. A host without perl, or a check that perl-base cannot make (https), gets
# one curl for each probe, and fewer of them.
measure_loop() {
    local going=1 began
    if perl -e 'use Config; use Errno; use Socket qw(getaddrinfo SOCK_NONBLOCK)'; then
        # shellcheck disable=SC2154 # meter_program: meter.pl, which script.rs puts into the conductor
        case $target in
        https:*) ;;
        # On stdin: every local user can read a command line.
        *) exec perl -e "$meter_program" -- "$1" "$kind" "$status" "$contains" "$next" "$previous" <<END ;;
$target
END
        esac
    fi
    trap 'going=0' TERM
    while [ "$going" = 1 ]; do
        {
            now
            began=$now
            if probe 10; then lost=ok; fi
            now
            printf '%s0 %s0 %s new %s -\n' "$began" "$now" "$lost" "$1"
        } &
        command sleep 0.1
    done
    wait
}

# Ends the probes; those under way are waited for. In this shell: only a parent can wait. Fails if a meter had died.
measure_end() {
    local meter died=0
    # shellcheck disable=SC2086 # process ids
    [ -z "$measuring" ] || kill $measuring 2>/dev/null || died=1
    for meter in $measuring; do wait "$meter" 2>/dev/null || died=1; done
    measuring=''
    return "$died"
}
