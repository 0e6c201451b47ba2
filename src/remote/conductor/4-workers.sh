# After a reload: whether the main process is still there, and whether the processes of a unit show that it still runs
# the old code. What they cannot show is no failure: then only the response can prove the release. Only reads.
# shellcheck shell=dash disable=SC2034,SC2154

# began_reload UNIT: processes that start from now on are new, and no earlier restart of the unit counts any more.
reloads=''
began_reload() { reloads=" $1=$(started_now)$reloads" restarted=" $1=$restarted"; }

# must_stay UNIT: whether its process must stay: the turn is a reload, and not one that a step made a restart.
must_stay() {
    local base="${restarted#*" $1="}"
    [ "${turn-}${base%% *}" = reload ]
}

# check_stayed UNIT BEFORE: sets hopeless if its process has died of the reload, and systemd started another one.
check_stayed() {
    must_stay "$1" || return 0
    read_exit
    case $2 in '' | "$p_InvocationID") return 0 ;; esac
    how_it_ended "$1"
    hopeless="$crashed during the reload and was restarted ($ended)"
}

# started_now: when the subshell that this runs in was started, as /proc has it for every process: a container may have
# an uptime of its own.
started_now() {
    local stat
    IFS= read -r stat </proc/self/stat
    set -f
    # shellcheck disable=SC2086 # fields
    set -- ${stat##*) }
    echo "${20}"
}

# new_code: waits until the workers are new, at most `timeout`. A response that names its release has proved more.
new_code() {
    local end
    # On the way back, old workers are right, and a restart of what serves is not.
    [ "$phase" = switch ] || return 0
    case $turn/$release/$contains in reload/-/) ;; *) return 0 ;; esac
    now; end=$((now + timeout * 100))
    while old_code=''; ! new_workers "$unit"; do
        same_process "$unit" || return 1
        stop_requested && return 1
        waits "$unit" "$timeout" "$old_code"
        now; [ "$now" -lt "$end" ] || { cause="$unit still runs the old code: $old_code"; return 1; }
        sleep 0.2
    done
}

# new_workers UNIT: of the processes beside the main one, at least one started after the reload, and of those that did
# none runs from another release, as far as that can be read. Sets old_code. A child that runs another program than the
# main process is no worker.
new_workers() {
    local began="${reloads#*" $1="}" group tree pids pid stat old=0 new=0 stale='' cwd_release exe_release program
    case $reloads in *" $1="*) began=${began%% *} ;; *) return 0 ;; esac
    group=$(systemctl "--$manager" show -p ControlGroup --value -- "$1" 2>/dev/null) || return 0
    for tree in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
        [ ! -r "$tree$group/cgroup.procs" ] || break
    done
    pids=$(find "$tree$group" -name cgroup.procs -exec cat '{}' + 2>/dev/null) && [ -n "$group" ] || return 0
    program=$(readlink "/proc/$p_MainPID/exe") || program=''
    for pid in $pids; do
        [ "$pid" != "$p_MainPID" ] || continue
        stat=''
        IFS= read -r stat 2>/dev/null <"/proc/$pid/stat" || continue
        # Behind its name: the state, and as 20th the start in hundredths of a second since boot (proc(5)).
        set -f
        # shellcheck disable=SC2086 # fields
        set -- "$1" ${stat##*) }
        set +f
        case ${2-Z}/${21-} in [ZX]/* | */ | */*[!0-9]*) continue ;; esac
        if [ "${21}" -lt "$began" ]; then
            [ "$(readlink "/proc/$pid/exe")" != "$program" ] || old=$((old + 1))
            continue
        fi
        new=$((new + 1))
        process_releases "$pid" || continue
        case $cwd_release in '' | "$target_release") ;; *) stale=$cwd_release ;; esac
    done
    if [ -n "$stale" ]; then
        old_code="a process that started after the reload runs in the directory of release $stale, because systemd"
        old_code="$old_code resolves WorkingDirectory= only when the service starts; pass the path of \`current\` to"
        old_code="$old_code the program, for gunicorn: --chdir $(cd .. && pwd)/current"
        return 1
    fi
    [ "$old" != 0 ] && [ "$new" = 0 ] || return 0
    old_code="none of its $old worker processes started after the reload; the program must handle the signal of"
    old_code="$old_code ExecReload=, or, if it needs no new processes, include the release id in its response, and set"
    old_code="$old_code \`release: true\` under \`health\`"
    return 1
}
