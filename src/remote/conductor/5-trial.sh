# The conductor's trial, which comes before anything live changes: a unit of its own runs the release from `next`, at an
# address that no client uses, and must pass a verdict there. Never here: a change to anything live.
# shellcheck shell=dash disable=SC2034,SC2154

step_trial() {
    local unit turn start successes timeout watch wrongs kind target status contains release
    local trial=yes target_release=$next passed=''
    arguments "$verdict_arguments" "$@" && point_next || return 1
    mark trial-runs || { cause='the mark could not be written'; return 1; }
    restart_unit "$unit" && judge && passed=yes
    gone=''
    stop_trial "$unit" || { cause=${cause:-"$unit could not be stopped after the trial"}; return 1; }
    [ -n "$passed" ] || { cancelled || cause="the trial failed: $cause"; return 1; }
}

# stop_trial UNIT: one that has not started yet is killed: it could use up its whole stop timeout. What failed is in the
# events and in the journal: the unit is not left behind as failed.
stop_trial() {
    ! show_unit "$1" || ! is_starting || ctl kill -s KILL "$1" || :
    insist stop "$1" || return 1
    ctl reset-failed "$1" || :
}

# stop_trials: at the end of a run, for what a conductor that died in a trial left running. It serves no client, so what
# cannot be stopped fails nothing.
stop_trials() {
    local line
    while IFS= read -r line <&7; do
        case $line in 'switch trial '*) ;; *) continue ;; esac
        line=${line#switch trial unit=} line=$(decode "${line%% *}")
        show_unit "$line" || p_ActiveState=unknown
        [ "$p_ActiveState" != inactive ] || continue
        stop_trial "$line" 7<&- || event note trial "$line could not be stopped"
    done 7<"$R/request"
}
