# What a switch may lose, by the downtime meter. Never here: a probe, or a change to anything live.
# shellcheck shell=dash disable=SC2034,SC2154

# limits: since the flip, the switch lost no more than this; each limit may be `-`. What is under way counts too, so the
# meter ends here. It begins again for a revert.
step_limits() {
    local gap failed numbers='' lost hole line end
    arguments 'gap failed' "$@" || return 1
    # One that the machine is slow to start has some time for its first probe.
    now; end=$((now + 1500))
    until all_measure || { now; [ "$now" -ge "$end" ]; }; do sleep 0.1; done
    if measure_end && all_measure; then numbers=$(measured); fi
    lost=${numbers##*lost=} hole=${numbers##*hole=}
    lost=${lost%%,*} hole=${hole%%,*}
    # What is not known may be too much.
    if [ -z "$numbers" ]; then numbers='the downtime could not be measured, and deploy.yml limits it'
    elif [ "$failed" != - ] && [ "$lost" -gt "$failed" ]; then
        numbers="$lost requests failed during the switch, more than max_failed ($failed); the longest gap was ${hole}ms"
    elif [ "$gap" != - ] && [ "$hole" -gt "$gap" ]; then
        numbers="nobody was answered for ${hole}ms, longer than max_gap (${gap}ms); $lost requests failed"
    else return 0
    fi
    while IFS= read -r line; do
        # shellcheck disable=SC2086 # a line splits at its spaces; its bytes are encoded
        [ -z "$line" ] || begin_meter $line
    done <<END
$meter_arguments
END
    cause=$numbers
    return 1
}

# Every meter has written a line.
all_measure() {
    awk -v meters="$meters" '
        NF == 6 { lines[$5]++ }
        END { for (number = 1; number <= meters; number++) if (!lines[number]) exit 1 }' "$R/probes" 2>/dev/null
}

# note_crash: the process of the unit `gone` ended after it was ready. Where clients reached it, requests in progress
# may be lost; no probe need have noticed that. Clients reach what has a health check, and an instance behind a router
# once that sends it requests.
note_crash() {
    local lost=$gone
    case $phase-$gone in
    switch-*@*)
        [ -n "$routed" ] || ! grep -q '^switch \(route\|isolate\|canary\) ' "$R/request" || lost='' ;;
    switch-*) ;;
    *) lost='' ;;
    esac
    gone=''
    [ -n "$lost" ] || return 0
    case " ${serves:-} " in *" $lost "*) crashes="$crashes/$lost" ;; esac
}
