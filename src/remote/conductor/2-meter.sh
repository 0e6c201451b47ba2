# The conductor's downtime meter: it probes the app through a switch, and adds up what the probes saw. meter.pl is what
# probes, and describes its lines. Never here: a change to anything.
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

# has_measured: the newest meter has written four lines.
has_measured() {
    local by rest lines=0
    while [ "$lines" -lt 4 ] && read -r rest rest rest rest by rest; do
        [ "$by" != "$meters" ] || lines=$((lines + 1))
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

# measured: what the probes saw, as one word (src/step/downtime.rs reads it), or nothing when none was sent. A gap is
# the time between two good answers on new connections, of the address where it was longest; a hole is the same since
# the flip, if a probe failed or waited in it. The phases are before the flip, until the new release served or the old
# one again, and after.
measured() {
    [ -s "$R/probes" ] || return 0
    awk -v "crashes=${crashes#/}" '
        function whole(ms) { return int(ms + 0.999) }
        function most(phase, share,   ms, seen) {
            for (ms = 0; seen < share * good[phase]; ms++) seen += times[phase, ms]
            return ms - 1
        }
        FNR == NR {
            if ($2 == "step" && $3 == "switch" && $4 ~ /^(flip|slot)$/ && $6 == "started" && !flip) flip = $1 * 10
            if ($2 == "live" || $2 == "step" && $3 == "revert") live = $1 * 10
            next
        }
        NF != 6 { next }
        { probes++ }
        $4 == "new" && !($5 in last) { last[$5] = $1 }
        $4 == "new" { end[$5] = $2 }
        $3 != "ok" && $4 == "new" { missed[$5] = 1 }
        $3 != "ok" { failed++; kinds[$3]++; if (flip && $2 >= flip) lost++; next }
        {
            took = $2 - $1
            if (took > wait) wait = took
            phase = !flip || $2 < flip ? "before" : live && $1 > live ? "after" : "during"
            good[phase]++; times[phase, whole(took)]++
        }
        $4 == "new" { hole($5, $2, missed[$5] || took > 50); last[$5] = $2; missed[$5] = 0 }
        function hole(of, until, unserved) {
            if (until - last[of] > gap) gap = until - last[of]
            if (unserved && flip && until >= flip && until - last[of] > switch_gap) switch_gap = until - last[of]
        }
        END {
            for (of in end) hole(of, end[of], missed[of])
            printf "probes=%d,failed=%d,gap=%d,wait=%d", probes, failed, whole(gap), whole(wait)
            if (crashes != "") printf ",crashed=%s", crashes
            printf ",lost=%d,hole=%d", lost, whole(switch_gap)
            for (how in kinds) printf ",%s=%d", how, kinds[how]
            for (phase in good) printf ",%s=%d/%d/%d", phase, most(phase, 0.5), most(phase, 0.95), most(phase, 1)
        }' "$R/events" "$R/probes"
}
