# How a process ended, read before the way back starts the next one. Never here: a change to anything.
# shellcheck shell=dash disable=SC2034,SC2154

# Sets exit_detail: how the main process ended, while the unit still shows it; the next start clears it.
read_exit() { exit_words "$p_ExecMainCode" "$p_ExecMainStatus"; }

# exit_words CODE STATUS: sets exit_detail. A status from 200 on is systemd's own, before the program ran
# (systemd.exec(5), "Process Exit Codes"): a second try ends the same, so that hopeless is set too.
exit_words() {
    case $1 in
    1 | exited) exit_detail="exit status $2" ;;
    2 | 3 | killed | dumped) exit_detail="killed by SIG$(kill -l "$2" 2>/dev/null || echo "nal $2")"; return 0 ;;
    *) return 0 ;;
    esac
    case $2 in
    200) exit_detail="$exit_detail: its WorkingDirectory= cannot be entered" ;;
    203) exit_detail="$exit_detail: the program in its ExecStart= cannot be executed" ;;
    216) exit_detail="$exit_detail: its Group= does not exist on this host" ;;
    217) exit_detail="$exit_detail: its User= does not exist on this host" ;;
    226) exit_detail="$exit_detail: a path in its sandbox settings does not exist" ;;
    *) return 0 ;;
    esac
    hopeless="could not be started: $exit_detail"
}

# how_it_ended UNIT: sets ended (in words) and crashed (the verb). systemd forgets how a process ended when it starts
# the next one; the journal keeps it, but for exit status 0, which is not logged. A busy host writes its journal late,
# so this waits for the end, or for what systemd logs after it. That invocation is one of this run, even if it was too
# short to be observed: its last output is evidence.
how_it_ended() {
    local end found='' old="$before"
    # The process that was to reload is not replaced.
    ! must_stay "$1" || old=''
    now; end=$((now + 1500))
    until [ -n "$exit_detail$found" ]; do
        found=$(unit_journal "$1" | last_exit)
        # shellcheck disable=SC2086 # a word, a number and an id
        case $found in
        '') now; [ "$now" -lt "$end" ] || break; sleep 0.2 ;;
        unlogged) ;;
        *) exit_words $found; invocations="$invocations ${found##* }" ;;
        esac
    done
    case $p_Result in
    '' | success | exit-code | signal | core-dump) ended=${exit_detail:-exit status unknown} ;;
    *) ended="result $p_Result${exit_detail:+, $exit_detail}" ;;
    esac
    case $exit_detail in 'exit status 0') crashed=ended ;; *) crashed=crashed ;; esac
}

# The last end of a process that stdin, a journal, has of this switch: its code, status and invocation; not the end of
# one that it replaced (old). `unlogged`: systemd logged none before it scheduled a restart or gave the unit's result
# (SD_MESSAGE_UNIT_RESTART_SCHEDULED, SD_MESSAGE_UNIT_FAILURE_RESULT).
last_exit() {
    awk -v old="$old" -v since="${since}000000" '
        !/"EXIT_CODE":"[a-z]|"5eb03494b6584870a536b337290809b3"|"d9b373ed55a64feb8242e02dbe79a49c"/ { next }
        { id = match($0, /INVOCATION_ID":"[0-9a-f]+/) ? substr($0, RSTART + 16, RLENGTH - 16) : "" }
        id != "" && index(old, id) { next }
        !match($0, /"__REALTIME_TIMESTAMP":"[0-9]+/) || substr($0, RSTART + 24, RLENGTH - 24) + 0 < since + 0 { next }
        !match($0, /"EXIT_CODE":"[a-z]+/) { over = "unlogged"; next }
        { code = substr($0, RSTART + 13, RLENGTH - 13) }
        match($0, /"EXIT_STATUS":"[0-9]+/) { found = code " " substr($0, RSTART + 15, RLENGTH - 15) " " id }
        END { print found ? found : over }'
}

# not_begun UNIT TURN: sets hopeless if systemd did not begin to start it, because of a Condition…= or Assert…= of the
# unit (systemd.unit(5)). Which one is only in the journal, and before systemd 250 nowhere. A process that was to reload
# has ended, and none comes after it.
not_begun() {
    local shown unmet='' tries=0
    if must_stay "$1"; then how_it_ended "$1"; hopeless="$crashed during the reload ($ended)"; fi
    [ "$2" = restart ] || return 0
    shown=$(systemctl "--$manager" show -p ConditionResult,AssertResult,ConditionTimestampMonotonic -- "$1" \
        2>/dev/null </dev/null) || return 0
    # A unit that was never started has not judged its conditions: a unit that it requires may have failed.
    case $shown in *TimestampMonotonic=0*) return 0 ;; *Result=no*) ;; *) return 0 ;; esac
    while [ -z "$unmet" ] && [ "$tries" -lt 10 ]; do
        [ "$tries" = 0 ] || sleep 0.1
        tries=$((tries + 1))
        unmet=$(unit_journal "$1" | last_unmet)
    done
    hopeless="was not started: ${unmet:-a condition of its unit} was not met"
}

# The last condition of a unit that stdin, a journal, reports as not met in this switch.
last_unmet() {
    awk -v since="${since}000000" '
        !match($0, /"__REALTIME_TIMESTAMP":"[0-9]+/) || substr($0, RSTART + 24, RLENGTH - 24) + 0 < since + 0 { next }
        match($0, /unmet condition check \([^"]*\)/) { found = substr($0, RSTART + 23, RLENGTH - 24) }
        END { print found }'
}

# in_words N
in_words() { if [ "$1" = 1 ]; then echo once; else echo "$1 times"; fi; }
