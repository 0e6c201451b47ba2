# The conductor's main: which list to carry out, by the marks that are there, and how it ends.
#   no mark: the switch list · begun: the revert list · confirmed: only what comes after · unswitched: the end
# args: root [boot]
# shellcheck shell=dash disable=SC2034,SC2154

# The version of the request and its steps (src/step/wire.rs). One of another version is moved aside, and nothing of it
# is carried out. No client replaces the conductor while a request is there: a switch ends as it began.
protocol=2

# carry_out LIST: its steps in order; stops at the first that fails. Sets cause.
carry_out() {
    local list="$1" line began step
    phase=$1
    while IFS= read -r line <&8; do
        case $line in "$list "*) ;; *) continue ;; esac
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
        if [ "$1" != confirm ] && stop_requested; then false; else "step_$@"; fi 8<&- || {
            now; event step "$list" "$step" failed $((now - began)) "$cause"
            [ "$list" = settle ] || return 1
            continue
        }
        now; event step "$list" "$step" "done" $((now - began))
    done 8<"$R/request"
}

# step_name NAME WORD…: as events have it: the step, and the unit or the release that it is about.
step_name() {
    local about="${2#*=}"
    case $1 in measure) about='' ;; esac
    about=$(decode "${about%%,*}")
    printf '%s\n' "$1${about:+ $about}"
}

# Sets run and R. A pipe or a device would never be read to its end.
find_run() {
    [ -f request ] && [ ! -L request ] && run=$(sed -n 's/^run //p' request) || run=''
    case $run in '' | *[!0-9A-Za-z-]*) R=unreadable ;; *) R=runs/$run ;; esac
}

# Only a request that is whole, of this version and placed by its run: half a list would be success without a verdict.
is_whole() {
    [ request -ef "$R/request" ] && [ "$(sed -n '1p;$p' request)" = "shipit $protocol
end" ]
}

main() {
    local tries=1
    cd "$1/.shipit" || exit 1
    [ -e request ] || exit 0
    exec 9<. && flock -n 9 || exit 0
    find_run
    if ! is_whole; then
        rm -rf request.unreadable
        mv -fT request request.unreadable || mv -T request "request.unreadable.$$"
        exit 1
    fi
    epoch=$(field epoch) access=$(field access) manager=system previous=$(field previous) next=$(field next)
    [ "$access" != user ] || manager=user
    phase=revert measuring='' invocations='' evidence_of='' before='' changed='' cause='' target_release=$next
    attempt_revert=1
    if [ "${2:-}" = boot ]; then
        marked begun && ! marked confirmed && [ "$previous" != - ] && flip_to "$previous"
        exit 0
    fi
    # A redirect that cannot be opened would keep a command from running at all.
    { true >>"$R/said"; } 2>/dev/null && output_file=$R/said || output_file=/dev/null
    while marked "attempt-$tries"; do tries=$((tries + 1)); done
    mark "attempt-$tries"
    why="the switch was interrupted on the host (attempt $tries)"
    if [ "$tries" -gt 5 ]; then
        ln -f -- "$R/request" degraded
        finish degraded 'the conductor was killed five times in a row'
    fi
    # A line that a power cut tore must not swallow the next one.
    [ -z "$(tail -c 1 ledger)" ] || printf '\n' >>ledger
    [ "$tries" -gt 1 ] || ledger begin "$next" "command=$(field command)"
    if marked confirmed; then ledger verified "$next"
    elif marked begun; then revert
    elif marked unswitched || ! carry_out switch; then
        [ -z "$cause" ] || why=$cause
        [ -z "$changed" ] || revert
        mark unswitched # before it is reported: it must not begin again
        ledger unswitched "$next"
        finish failed "$why"
    fi
    measure_end
    carry_out settle
    finish deployed
}

main "$@"
exit
