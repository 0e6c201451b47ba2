# The conductor carries one switch out, on the host, under PID 1. This file: its names for things, and its memory.
# After a crash, marks say how far the switch had come: hard links to the request, which cost no inode and no block, so
# that a full disk cannot stop a revert. Never here: a change to anything live.
# Directory: $ROOT/.shipit. Globals: run R access previous next, read from the request.
# shellcheck shell=dash disable=SC2034,SC2154

LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
# What systemd passes on (DefaultEnvironment=) steers nothing. Only this process has this number.
case $0-${SHIPIT_OWN-} in
*/.shipit/conductor-$$) ;;
*/.shipit/conductor-*) exec env -i "PATH=$PATH" LC_ALL=C "HOME=${HOME:-/}" "SHIPIT_OWN=$$" \
    ${XDG_RUNTIME_DIR:+"XDG_RUNTIME_DIR=$XDG_RUNTIME_DIR"} ${NOTIFY_SOCKET:+"NOTIFY_SOCKET=$NOTIFY_SOCKET"} \
    /bin/sh "$0" "$@" ;;
esac

# Centiseconds since boot, without a fork and without a wall clock that may jump.
now() { read -r now _ </proc/uptime && now=${now%.*}${now#*.}; }

# event KIND FIELD…: one line of the run's events, as src/step/events.rs lists them. Best effort: a full disk must not
# stop the switch.
event() { now; printf '%s %s\n' "$now" "$*" >>"$R/events" 2>/dev/null || :; }

# ledger WORD RELEASE: the state of a release, for good. Writing it again after a crash does no harm. Preallocated
# blocks take it even on a full disk. Fails when it may not be there after a power cut. Without a clock, the time is the
# last one known: only people read it.
ledger() {
    local at
    at=$(date -u +%Y-%m-%dT%H:%M:%SZ) && clock=$at
    { printf '%s %s %s %s\n' "$clock" "$epoch" "$run" "$*" >>ledger; } 2>/dev/null && sync ledger 2>/dev/null
}

# A mark is flushed before what it announces happens (`attempt-N` is not, and announces nothing). One that the disk does
# not take does not count.
mark() { [ -e "$R/$1" ] || ln -- "$R/request" "$R/$1" || return 1; sync "$R" 2>/dev/null; }
marked() { [ -e "$R/$1" ]; }

# ctl ARGS…: systemctl, with the privilege that setup found. `access` (sudo, root, user) is how units are controlled,
# `manager` (system, user) which systemd is asked. The lines are those of the sudo rule, word for word.
ctl() {
    # Where its output begins, for ctl_output.
    recorded=no
    { printf 'call %s\n' "$*" >>"$output_file"; } 2>/dev/null && [ "$output_file" != /dev/null ] && recorded=yes
    case $access in
    sudo) timeout --foreground -k 5 240 sudo -n -u root /usr/bin/systemctl "$@" ;;
    user) timeout --foreground -k 5 240 systemctl --user "$@" ;;
    *) timeout --foreground -k 5 240 systemctl "$@" ;;
    esac </dev/null >>"$output_file" 2>&1
}

# insist ARGS…: the same for what may be asked twice. A systemd that is busy, as while it executes itself again, refuses
# for about a second.
insist() { ctl "$@" || { sleep 1; ctl "$@"; } || { sleep 2; ctl "$@"; }; }

# read_unit UNIT: its properties as variables named p_NAME. A systemd that does not answer is asked again for some
# seconds; then it fails.
read_unit() {
    local until
    now; until=$((now + 1500))
    while ! show_unit "$1"; do
        now; [ "$now" -lt "$until" ] || return 1
        sleep 0.5
    done
}

# show_unit UNIT: one try of read_unit.
show_unit() {
    local line shown
    p_LoadState='' p_ActiveState='' p_SubState='' p_Result='' p_InvocationID='' p_MainPID='' p_NRestarts='' p_times=''
    p_Job='' p_ReloadResult='' p_ExecMainStatus='' p_ExecMainCode='' p_CollectMode='' p_StartLimitIntervalUSec=''
    shown=$(systemctl "--$manager" show \
        -p LoadState,ActiveState,SubState,Result,InvocationID,MainPID,NRestarts,Job \
        -p ReloadResult,ExecMainStatus,ExecMainCode,CollectMode,StartLimitIntervalUSec \
        -p ActiveExitTimestampMonotonic,InactiveEnterTimestampMonotonic \
        -p InactiveExitTimestampMonotonic,ActiveEnterTimestampMonotonic -- "$1" 2>/dev/null) || return 1
    while IFS= read -r line; do
        case $line in
        LoadState=* | ActiveState=* | SubState=* | Result=* | InvocationID=* | MainPID=* | NRestarts=* | \
            Job=* | ReloadResult=* | ExecMainStatus=* | ExecMainCode=* | CollectMode=* | StartLimitIntervalUSec=*)
            eval "p_${line%%=*}=\${line#*=}" ;;
        *TimestampMonotonic=*) p_times="$p_times $line" ;;
        esac
    done <<END
$shown
END
    [ -n "$p_ActiveState" ]
}

# need_unit UNIT: the same for a step, which fails without it.
need_unit() { read_unit "$1" || { cause="systemd did not return the state of $1"; return 1; }; }

# True when the user asked to stop, and the release is not confirmed yet.
cancelled() { [ "$phase" = switch ] && [ -e "$R/cancel" ]; }
stop_requested() { cancelled && cause='canceled by a user' && canceled; }

# release_of SYMLINK: the release that it names, or `-` where nothing is. A failed read is an error, not absence.
release_of() {
    local to
    if [ -L "$1" ]; then
        to=$(readlink "$1") || to=$(sleep 0.2; readlink "$1") || return 1
        to=${to%/}
        printf '%s\n' "${to##*releases/}"
    elif [ -e "$1" ]; then return 1
    else printf -- '-\n'; fi
}
is_current() { release_of ../current; }

# begin_change [RELEASE]: before anything live changes. In the switch list `current`, just read as RELEASE, must be what
# the request was made from.
begin_change() {
    local is="${1-}"
    [ "$phase" = switch ] || return 0
    [ -n "$is" ] || is=$(is_current) || { cause='current could not be read'; return 1; }
    [ "$is" = "$previous" ] || [ "$is" = "$next" ] || {
        cause="current is $is, not $previous: another process changed it"
        return 1
    }
    mark begun || { cause='the mark could not be written'; return 1; }
    changed=1
}
