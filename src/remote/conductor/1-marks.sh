#!/bin/sh
# The conductor carries one switch out, on the host, under PID 1. This file: its words and its memory.
# What is told apart after a crash is told apart by marks: hard links to the request, which cost no inode
# and no block, so that a full disk cannot stop a revert. Never here: a change to anything live.
# Directory: $ROOT/.shipit. Globals: run R access previous next, read from the request.
# shellcheck disable=SC2034,SC2154

LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH

# Centiseconds since boot, without a fork and without a wall clock that may jump.
now() { read -r now _ </proc/uptime && now=${now%.*}${now#*.}; }

# One event line. Best effort: a full disk must not stop the switch.
event() { now; printf '%s %s\n' "$now" "$*" >>"$R/events" 2>/dev/null || :; }

# What became of a release, for good. Said again after a crash it does no harm. Preallocated blocks take it even on a full disk.
ledger() {
    printf '%s %s %s %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$epoch" "$run" "$*" >>ledger 2>/dev/null || :
    sync ledger 2>/dev/null || :
}

# A mark is durable before what it announces happens; one that the disk does not take is none.
mark() { [ -e "$R/$1" ] || ln -- "$R/request" "$R/$1" || return 1; sync "$R" 2>/dev/null; }
marked() { [ -e "$R/$1" ]; }

# The value of a one-word field of the request.
field() { sed -n "s/^$1 //p" "$R/request" | head -n 1; }

# Bytes travel as \0ooo, so that a line of the request splits at its spaces and nowhere else.
decode() { printf '%b' "$1"; }

# `access` says how units are driven (sudo, root, user), `manager` which systemd is asked (system, user).
# systemctl, with the privilege that setup found. The lines are those of the sudo rule, word for word.
ctl() {
    case $access in
    sudo) sudo -n /usr/bin/systemctl "$@" ;;
    user) systemctl --user "$@" ;;
    *) systemctl "$@" ;;
    esac </dev/null >>"$said_file" 2>&1
}

# Properties of a unit as shell variables named p_Name. Fails when they cannot be read.
look() {
    local line shown
    p_LoadState='' p_ActiveState='' p_SubState='' p_Result='' p_InvocationID='' p_MainPID='' p_NRestarts=''
    p_Job='' p_ReloadResult='' p_StatusText='' p_ExecMainStatus='' p_ExecMainCode='' p_UnitFileState=''
    shown=$(systemctl "--$manager" show -p LoadState,ActiveState,SubState,Result,InvocationID,MainPID,NRestarts,Job \
        -p StatusText,ReloadResult,ExecMainStatus,ExecMainCode,UnitFileState -- "$@" 2>/dev/null) || return 1
    while IFS= read -r line; do
        case $line in
        LoadState=* | ActiveState=* | SubState=* | Result=* | InvocationID=* | MainPID=* | NRestarts=* | \
            Job=* | ReloadResult=* | StatusText=* | ExecMainStatus=* | ExecMainCode=* | UnitFileState=*)
            eval "p_${line%%=*}=\${line#*=}" ;;
        esac
    done <<EOF
$shown
EOF
    [ -n "$p_ActiveState" ]
}

# A restart was asked for. Until systemd heard of it a crash loop may have gone on, and systemd 252 goes on counting
# from there: that many restarts are no crash of the new process.
restarted=''
count_restarts() { look "$1" && restarted=" $1=${p_NRestarts:-0}$restarted" || :; }

# True when the person asked to stop and the release is not confirmed yet.
cancelled() { [ "$phase" = switch ] && [ -e "$R/cancel" ]; }

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
