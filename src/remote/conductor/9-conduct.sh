# The conductor's main: which list to carry out, by the marks that are there, and how it ends.
#   no mark: the switch list · begun: the revert list · confirmed: only what comes after · unswitched: the end
# args: root [boot | notify PROGRAM APP TEMPLATE]
# shellcheck shell=dash disable=SC2034,SC2154

# carry_out LIST [STEP]: its steps in order, or only that one; stops at the first that fails. Sets cause.
carry_out() {
    local list="$1" only="${2:-}" line='' began step apart='' later=''
    phase=$1
    while IFS= read -r line <&8; do
        alive
        case $line in "$list $only"*) ;; end) break ;; *) continue ;; esac
        set -f
        # shellcheck disable=SC2086 # a line splits at its spaces; its bytes are encoded
        set -- $line
        set +f
        shift
        step=$(step_name "$@")
        now; began=$now
        event step "$list" "$step" started
        cause=''
        # shellcheck disable=SC2145 # the step's name is the first word
        if [ -z "$only" ] && [ "$1" != confirm ] && stop_requested; then false; else "step_$@"; fi 8<&- || {
            now; event step "$list" "$step" failed $((now - began)) "$cause"
            failed_step=$1 && note_crash
            [ "$list" = settle ] || { [ -n "$apart" ] || return 1; later=${later:-$cause}; }
            continue
        }
        now; event step "$list" "$step" "done" $((now - began))
    done 8<"$R/request"
    # Half a list would be success without a verdict.
    [ "$line" = end ] || { cause='the request could not be read completely'; return 1; }
    [ -z "$later" ] || { cause=$later; return 1; }
}

# step_name NAME WORD…: as events have it: the step, and the unit or the release that it is about.
step_name() {
    local about="${2#*=}"
    case $1 in measure | limits | verify | prune) about='' ;; esac
    about=$(decode "${about%%,*}")
    printf '%s\n' "$1${about:+ $about}"
}

main() {
    local tries=1
    cd "$1/.shipit" || exit 1
    if [ "${2:-}" = notify ]; then shift 2 && notify_all "$@" && exit; exit 1; fi
    [ -e request ] || exit 0
    exec 9<. && flock -n 9 || exit 0
    until load_request; do
        [ $? = 1 ] || { put_aside; exit 1; }
        # The app waits for the boot unit, and nobody starts that one again.
        [ "${2:-}" = boot ] && [ "$tries" -lt 20 ] || exit 1
        tries=$((tries + 1))
        sleep 1
    done
    phase=revert measuring='' invocations='' asked='' evidence_of='' before='' changed='' cause='' target_release=$next
    # Without the time of the request, no line of the journal without an invocation counts.
    attempt_revert=1 since=$(stat -c %Y "$R/request") || since=9999999999
    failed_step='' canceled='' unrecorded='' keep_next='' meters=0 meter_arguments='' stood='' output_file=/dev/null
    tries=1 gone='' crashes='' routed=''
    [ ! -s "$R/events" ] || ! grep -qs '^[^ ]* canceled$' "$R/events" || canceled=canceled
    if [ "${2:-}" = boot ]; then
        marked begun && ! confirmed && [ "$previous" != - ] && point_back
        exit 0
    fi
    alive
    wait_for_disk
    # A redirect that cannot be opened would keep a command from running at all.
    { true >>"$R/said"; } 2>/dev/null && output_file=$R/said
    while marked "attempt-$tries"; do tries=$((tries + 1)); done
    # Without it nobody would count this attempt: PID 1 starts the next.
    # One that must revert does so uncounted: a revert ends in any case. It need not outlive a power cut.
    ln -- "$R/request" "$R/attempt-$tries" || marked "attempt-$tries" || { marked begun && ! confirmed; } || exit 1
    why="the switch was interrupted on the host (attempt $tries)"
    [ "$tries" -le 5 ] || give_up
    # A line that a power cut tore must not swallow the next one. An empty line is none.
    [ "$(tail -c 1 ledger && echo .)" = "
." ] || { printf '\n' >>ledger; } 2>/dev/null
    if confirmed; then record_verified
    elif marked begun; then revert
    elif marked unswitched || ! rejoined || ! recorded || ! sudo_runs || ! carry_out switch; then
        [ -z "$cause" ] || why=$cause
        [ -z "$changed" ] || revert
        wait_for_disk
        mark unswitched # before it is reported: it must not begin again
        ledger unswitched "$next" ${canceled:+"$canceled"}
        finish failed "$why"
    fi
    measure_end
    carry_out settle
    finish deployed
}

# The number of this switch is in the ledger before it begins: the next request is numbered by it.
recorded() {
    marked recorded && return
    ledger begin "$next" "command=$command" && mark recorded || { cause='the ledger could not be written'; return 1; }
}

# A migration that an earlier attempt started comes first: no cancel and no failed check may end the run while it runs.
rejoined() { ! unended || carry_out switch 'migrate '; }

# The conductor was killed five times in a row.
give_up() {
    local cause='the conductor was killed five times in a row'
    if confirmed; then
        record_verified
        finish deployed
    elif marked begun; then
        ln -f -- "$R/request" degraded
        finish degraded "$cause"
    fi
    mark unswitched
    ledger unswitched "$next"
    finish failed "$cause"
}

main "$@"
exit
