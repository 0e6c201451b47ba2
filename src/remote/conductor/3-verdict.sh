# The conductor's verdict: is the process that runs a new one, from the requested release, and does it serve?
# An unreadable value is a failure, never a pass. Never here: a change to anything live.
# shellcheck shell=dash disable=SC2034,SC2154

# judge: the arguments are the caller's: step_await and step_trial name them. Of a trial nothing is kept.
judge() {
    local probe_in='' row=0 end limit restarts invocation pid was='' was_since=0 pause=0.1 active_at good_at
    exit_detail='' asked="$asked $(asked_path)"
    [ "$release" = - ] || release=$target_release
    # An instance is judged before `current` names its release.
    case $target_release in '' | -) ;; *) probe_in=../releases/$target_release ;; esac
    now; end=$((now + start * 100)) limit=$((now + 90000))
    until settled "$unit" "$turn"; do
        [ -z "$hopeless" ] || { cause="$unit $hopeless"; return 1; }
        stop_requested && return 1
        waits "$unit" "$start" "$detail"
        now
        # The time to start counts from when the old process is gone; 15 minutes are too long for any stop.
        [ "$p_ActiveState" != deactivating ] || [ "$now" -ge "$limit" ] || end=$((now + start * 100))
        [ "$now" -lt "$end" ] || {
            cause="$unit was not active after ${start}s ($detail${exit_detail:+, $exit_detail})"
            return 1
        }
        sleep 0.1
    done
    invocation=$p_InvocationID restarts=$p_NRestarts pid=$p_MainPID invocations="$invocations $p_InvocationID"
    [ "$kind" = none ] || serves="${serves:-} $unit "
    from_release "$pid" || { cause="$unit runs from $where, not from release $target_release"; return 1; }
    now; end=$((now + timeout * 100)) limit=$((now + timeout * 100)) active_at=$now good_at=$now
    while [ "$row" -lt "$successes" ]; do
        if probe 2; then row=$((row + 1)); else row=0; fi
        [ "$row" != 1 ] || { now; good_at=$now; }
        same_process "$unit" || return 1
        stop_requested && return 1
        [ "$row" -lt "$successes" ] || break
        now
        [ -n "$wrong" ] && [ "$wrong" = "$was" ] || was=$wrong was_since=$now
        [ -z "$wrong" ] || [ $((now - was_since)) -lt $((wrongs * 100)) ] || {
            who_listens "$unit"
            cause="$unit is not healthy: $detail, for ${wrongs}s"
            return 1
        }
        [ "$now" -lt "$end" ] || {
            who_listens "$unit"
            cause="$unit was not healthy after ${timeout}s: $detail"
            return 1
        }
        [ "$row" -gt 0 ] || waits "$unit" "$timeout" "$detail"
        # Slower and slower: each failed probe may be a line in the journal of the service.
        [ "$row" -gt 0 ] || case $pause in 0.1) pause=0.2 ;; 0.2) pause=0.4 ;; 0.4) pause=0.8 ;; esac
        sleep "$pause"
    done
    new_code || return 1
    [ "$phase${trial:-}" = switch ] && event live "$unit" "$target_release$(turn_times)"
    [ "$watch" = 0 ] || waits "$unit" "$watch" healthy
    now; end=$((now + watch * 100))
    while now && [ "$now" -lt "$end" ]; do
        sleep 0.2
        same_process "$unit" || return 1
        stop_requested && return 1
        probe 2 && continue
        # While a server reloads, its old process may answer: the watch then begins again, until the timeout.
        [ "$turn $older" = 'reload yes' ] && [ "$now" -lt "$limit" ] && end=$((now + watch * 100)) || {
            who_listens "$unit"
            cause="$unit became unhealthy: $detail"
            return 1
        }
    done
    [ -z "${trial:-}" ] || return 0
    stood="$stood $unit=$invocation=$restarts"
    event verdict "$unit" "invocation=$invocation pid=$pid restarts=$restarts from=$where"
}

# settled UNIT TURN: true once the unit has restarted or reloaded. Sets detail (its state) and hopeless (why it cannot).
settled() {
    local was base
    hopeless=''
    read_unit "$1" || { detail='systemd did not return its state'; return 1; }
    detail="$p_ActiveState/$p_SubState"
    case $p_Result in success | exit-code) ;; *) detail="$detail, result $p_Result" ;; esac
    was=${before#*" $1="} was=${was%% *} base=${restarted#*" $1="} base=${base%% *}
    [ "$p_InvocationID" = "$was" ] || { invocations="$invocations $p_InvocationID"; read_exit; }
    case ${p_NRestarts:-x} in
    0 | "$base") ;;
    x) hopeless='has an unreadable restart counter' ;;
    *)
        # The old invocation keeps its count until the new one begins.
        [ "$2" != restart ] || [ "$p_InvocationID" = "$was" ] || {
            how_it_ended "$1"
            hopeless="$crashed and was restarted $(in_words "$p_NRestarts") ($ended)"
        } ;;
    esac
    check_stayed "$1" "$was"
    case $p_ActiveState/${p_Job:-0}/$2/${p_ReloadResult:-success} in
    active/0/reload/success) [ -z "$hopeless" ]; return ;;
    active/0/reload/*) hopeless="could not reload: result $p_ReloadResult"; return 1 ;;
    esac
    case $p_ActiveState/${p_Job:-0} in
    active/0) [ -z "$hopeless" ] && [ "$p_InvocationID" != "$was" ] ;;
    failed/0)
        [ "$p_InvocationID" != "$was" ] || [ "$2" = reload ] || return 1
        how_it_ended "$1"
        # A crash loop that was over before this looked.
        case $p_Result in
        start-limit-hit) hopeless="$crashed and was restarted until systemd gave up ($ended)" ;;
        *) hopeless="failed: $ended" ;;
        esac
        return 1 ;;
    inactive/0)
        if [ "$p_InvocationID" != "$was" ] && [ -n "$p_InvocationID" ]; then
            hopeless="ended immediately with result $p_Result: it left no process (wrong Type=?)"
        else not_begun "$1" "$2"; fi
        return 1 ;;
    *) return 1 ;;
    esac
}
