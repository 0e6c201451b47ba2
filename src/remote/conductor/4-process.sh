# What runs: whether it serves before anything changes, the same life as before, from which release. Only looks.
# shellcheck shell=dash disable=SC2034,SC2154

# baseline UNIT SECONDS KIND TARGET STATUS CONTAINS RELEASE: the live release must pass the check that the new
# one will be judged by; one that nothing passes could not verify the way back either. A service that does not
# run, or dies meanwhile, is no witness: this deploy may be what mends it.
step_baseline() {
    local unit="$1" seconds="$2" end
    shift 2
    [ "$5" = - ] || set -- "$1" "$2" "$3" "$4" "$previous"
    now; end=$((now + seconds * 100))
    while look "$unit" || { cause="systemd could not be asked about $unit"; return 1; }; do
        case $p_ActiveState in active | reloading) ;; *)
            event note baseline "$unit is $p_ActiveState: the live release was not asked"
            return 0 ;;
        esac
        probe "$@" 2 && return 0
        cancelled && cause='stopped on request' && return 1
        now; [ "$now" -lt "$end" ] || break
        sleep 0.1
    done
    cause="the live release $previous does not pass the health check of $unit either: $said"
    return 1
}

# Sets how the main process left, while the unit still shows it: the next start wipes it out. From 200 on it is what
# systemd itself could not do before the program ran (systemd.exec(5), "Process Exit Codes"), nor could a second later.
death() {
    case $p_ExecMainCode in
    1) how="status $p_ExecMainStatus" ;;
    2 | 3) how="signal $p_ExecMainStatus" ;;
    *) return 0 ;;
    esac
    case $p_ExecMainCode/$p_ExecMainStatus in
    1/200) how="$how: its WorkingDirectory= cannot be entered" ;;
    1/203) how="$how: its program of ExecStart= cannot be run" ;;
    1/216) how="$how: its Group= is not on this host" ;;
    1/217) how="$how: its User= is not on this host" ;;
    1/226) how="$how: a path that its sandbox names is not there" ;;
    *) return 0 ;;
    esac
    hopeless="could not be started: $how"
}

# N in words: once, or that many times.
often() { if [ "$1" = 1 ]; then echo once; else echo "$1 times"; fi; }

# True while it is the same life of the same process: no restart since.
same() {
    look "$1" || { cause="systemd could not be asked about $1"; return 1; }
    invocations="$invocations $p_InvocationID"
    if [ "$p_NRestarts" != "$restarts" ] || [ "$p_InvocationID" != "$invocation" ]; then
        [ "$p_ActiveState" = active ] || death
        cause="$1 crashed and was restarted (restarts $restarts -> $p_NRestarts, ${how:-result $p_Result})"
    elif [ "$p_ActiveState" != active ] && [ "$p_ActiveState" != reloading ]; then
        death
        cause="$1 stopped running: $p_ActiveState/$p_SubState, result $p_Result, ${how:-status unknown}"
    else
        return 0
    fi
    return 1
}

# Where the main process runs from, as far as this user may read it. A process that says another release is
# refused; one that cannot be read is judged by its InvocationID, which is new since the flip.
from_release() {
    where=unreadable
    local cwd exe root
    root=$(cd .. && pwd -P) || return 1
    cwd=$(readlink "/proc/$1/cwd" 2>/dev/null) || return 0
    exe=$(readlink "/proc/$1/exe" 2>/dev/null) || exe=''
    where=elsewhere
    case $cwd/ in "$root/releases/$target_release/"*) where=$target_release; return 0 ;;
    "$root/releases/"*) where=${cwd#"$root/releases/"}; where=${where%%/*} ;; esac
    case $exe in "$root/releases/$target_release/"*) where=$target_release; return 0 ;;
    "$root/releases/"*) where=${exe#"$root/releases/"}; where=${where%%/*} ;; esac
    [ "$where" = elsewhere ] || [ "$turn" = reload ]
}
