# The conductor carries one switch out, on the host, under PID 1. This file: its names for things, and its memory.
# After a crash, marks say how far the switch had come: hard links to the request, which cost no inode and no block, so
# that a full disk cannot stop a revert. Never here: a change to anything live.
# Directory: $ROOT/.shipit. Globals: run R access previous next, read from the request.
# shellcheck shell=dash disable=SC2034,SC2154

LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH

# Centiseconds since boot, without a fork and without a wall clock that may jump.
now() { read -r now _ </proc/uptime && now=${now%.*}${now#*.}; }

# event KIND FIELD…: one line of the run's events, as src/step/events.rs lists them. Best effort: a full disk must not
# stop the switch.
event() { now; printf '%s %s\n' "$now" "$*" >>"$R/events" 2>/dev/null || :; }

# ledger WORD RELEASE: the state of a release, for good. Writing it again after a crash does no harm. Preallocated
# blocks take it even on a full disk.
ledger() {
    printf '%s %s %s %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$epoch" "$run" "$*" >>ledger 2>/dev/null || :
    sync ledger 2>/dev/null || :
}

# A mark is flushed before what it announces happens. One that the disk does not take does not count.
mark() { [ -e "$R/$1" ] || ln -- "$R/request" "$R/$1" || return 1; sync "$R" 2>/dev/null; }
marked() { [ -e "$R/$1" ]; }

# The value of a one-word field of the request.
field() { sed -n "s/^$1 //p" "$R/request" | head -n 1; }

# ctl ARGS…: systemctl, with the privilege that setup found. `access` (sudo, root, user) is how units are controlled,
# `manager` (system, user) which systemd is asked. The lines are those of the sudo rule, word for word.
ctl() {
    case $access in
    sudo) sudo -n /usr/bin/systemctl "$@" ;;
    user) systemctl --user "$@" ;;
    *) systemctl "$@" ;;
    esac </dev/null >>"$output_file" 2>&1
}

# The last line that systemctl printed.
ctl_output() { tail -n 1 "$R/said"; }

# read_unit UNIT: its properties as variables named p_NAME. Fails when they cannot be read.
read_unit() {
    local line shown
    p_LoadState='' p_ActiveState='' p_SubState='' p_Result='' p_InvocationID='' p_MainPID='' p_NRestarts=''
    p_Job='' p_ReloadResult='' p_StatusText='' p_ExecMainStatus='' p_ExecMainCode='' p_UnitFileState=''
    shown=$(systemctl "--$manager" show \
        -p LoadState,ActiveState,SubState,Result,InvocationID,MainPID,NRestarts,Job \
        -p StatusText,ReloadResult,ExecMainStatus,ExecMainCode,UnitFileState -- "$1" 2>/dev/null) || return 1
    while IFS= read -r line; do
        case $line in
        LoadState=* | ActiveState=* | SubState=* | Result=* | InvocationID=* | MainPID=* | NRestarts=* | \
            Job=* | ReloadResult=* | StatusText=* | ExecMainStatus=* | ExecMainCode=* | UnitFileState=*)
            eval "p_${line%%=*}=\${line#*=}" ;;
        esac
    done <<END
$shown
END
    [ -n "$p_ActiveState" ]
}

# need_unit UNIT: the same for a step, which fails without it.
need_unit() { read_unit "$1" || { cause="systemd did not return the state of $1"; return 1; }; }

# A restart was requested. Until systemd carried it out a crash loop may have gone on, and systemd 252 goes on counting
# from there: that many restarts are not a crash of the new process.
restarted=''
count_restarts() { read_unit "$1" && restarted=" $1=${p_NRestarts:-0}$restarted" || :; }

# True when the user asked to stop, and the release is not confirmed yet.
cancelled() { [ "$phase" = switch ] && [ -e "$R/cancel" ]; }
stop_requested() { cancelled && cause='stopped on request'; }

# The release that `current` names, or `-`. A failed read is an error, not absence.
is_current() {
    local to
    if [ -L ../current ]; then
        to=$(readlink ../current) || return 1
        to=${to%/}
        printf '%s\n' "${to##*releases/}"
    elif [ -e ../current ]; then return 1
    else printf -- '-\n'; fi
}
