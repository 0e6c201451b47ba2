# The conductor's verdict: is the process that runs a new one, from the release asked for, and does it serve?
# An unreadable value is a failure, never a pass. Never here: a change to anything live.
# shellcheck shell=dash disable=SC2034,SC2154

# await UNIT TURN START SUCCESSES TIMEOUT WATCH KIND TARGET STATUS CONTAINS RELEASE
# TURN: restart (a new InvocationID) or reload (the same; an older answer starts WATCH anew, until TIMEOUT). Seconds.
step_await() {
    local unit="$1" turn="$2" start="$3" successes="$4" timeout="$5" watch="$6" row=0 end limit restarts invocation pid
    shift 6
    how=''
    [ "$5" = - ] || set -- "$1" "$2" "$3" "$4" "$target_release"
    now; end=$((now + start * 100)) limit=$((now + 90000))
    until settled "$unit" "$turn"; do
        [ -z "$hopeless" ] || { cause="$unit $hopeless"; return 1; }
        cancelled && cause='stopped on request' && return 1
        now
        # The time to start counts from when the old process is gone; 15 minutes are too long for any stop.
        [ "$p_ActiveState" != deactivating ] || [ "$now" -ge "$limit" ] || end=$((now + start * 100))
        [ "$now" -lt "$end" ] || { cause="$unit was not active after ${start}s ($said${how:+, $how})"; return 1; }
        sleep 0.1
    done
    invocation=$p_InvocationID restarts=$p_NRestarts pid=$p_MainPID invocations="$invocations $p_InvocationID"
    from_release "$pid" || { cause="$unit runs from $where, not from release $target_release"; return 1; }
    now; end=$((now + timeout * 100)) limit=$((now + timeout * 100))
    while [ "$row" -lt "$successes" ]; do
        if probe "$@" 2; then row=$((row + 1)); else row=0; fi
        same "$unit" || return 1
        cancelled && cause='stopped on request' && return 1
        [ "$row" -lt "$successes" ] || break
        now; [ "$now" -lt "$end" ] || { cause="$unit was not healthy after ${timeout}s: $said"; return 1; }
        sleep 0.1
    done
    [ "$phase" = switch ] && event live "$unit" "$target_release"
    now; end=$((now + watch * 100))
    while now && [ "$now" -lt "$end" ]; do
        sleep 0.2
        same "$unit" || return 1
        cancelled && cause='stopped on request' && return 1
        probe "$@" 2 && continue
        [ "$turn $older" = 'reload yes' ] && [ "$now" -lt "$limit" ] && end=$((now + watch * 100)) ||
            { cause="$unit was healthy, then not: $said"; return 1; }
    done
    event verdict "$unit" "invocation=$invocation pid=$pid restarts=$restarts from=$where"
}

# True once the unit has done what was asked of it. Sets said (what it shows) and hopeless (when it cannot).
settled() {
    local was base
    hopeless=''
    look "$1" || { said='systemd could not be asked'; return 1; }
    said="$p_ActiveState/$p_SubState, result $p_Result"
    was=${before#*" $1="} was=${was%% *} base=${restarted#*" $1="} base=${base%% *}
    [ "$p_InvocationID" = "$was" ] || { invocations="$invocations $p_InvocationID"; death; }
    case ${p_NRestarts:-x} in
    0 | "$base") ;;
    x) hopeless='has an unreadable restart counter' ;;
    *)
        # The old life keeps its count until the new one begins.
        [ "$2" != restart ] || [ "$p_InvocationID" = "$was" ] ||
            hopeless="crashed and was restarted $(often "$p_NRestarts") (${how:-result $p_Result})" ;;
    esac
    case $p_ActiveState/${p_Job:-0}/$2/${p_ReloadResult:-success} in
    active/0/reload/success) [ -z "$hopeless" ]; return ;;
    active/0/reload/*) hopeless="could not reload: result $p_ReloadResult"; return 1 ;;
    esac
    case $p_ActiveState/${p_Job:-0} in
    active/0) [ -z "$hopeless" ] && [ "$p_InvocationID" != "$was" ] ;;
    failed/0)
        [ "$p_InvocationID" != "$was" ] || [ "$2" = reload ] || return 1
        hopeless="failed: result $p_Result${how:+, $how}"
        return 1 ;;
    inactive/0)
        if [ "$p_InvocationID" != "$was" ] && [ -n "$p_InvocationID" ]; then
            hopeless="ended at once with result $p_Result: it left no process (wrong Type=?)"
        fi
        return 1 ;;
    *) return 1 ;;
    esac
}
