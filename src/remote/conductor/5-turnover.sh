# The conductor's steps that change what is live. Each is one rename or one systemctl call, and means "make
# it so": running it twice is harmless.
# shellcheck shell=dash disable=SC2034,SC2154

# flip ID: `current` -> releases/ID in one rename, from a link prepared when the release was published
# (so it needs no inode and no block). In the switch list `current` must be what the request saw.
step_flip() {
    local is
    is=$(is_current) || { cause="current could not be read"; return 1; }
    # Also on the way back: a `current` that leads nowhere is worse than one that nobody confirmed.
    [ "$1" = - ] || [ -d "../releases/$1" ] || { cause="release $1 is not there"; return 1; }
    if [ "$phase" = switch ]; then
        [ "$is" = "$previous" ] || [ "$is" = "$1" ] || { cause="current is $is, not $previous: somebody changed it"; return 1; }
        mark begun || { cause='the mark could not be written'; return 1; }
        changed=1
    fi
    target_release=$1
    if [ "$1" = - ]; then
        [ "$is" = - ] || mv -fT -- ../current current.gone || { cause='current could not be taken away'; return 1; }
    elif [ "$is" != "$1" ]; then
        rm -f -- current.tmp && { ln -P -- "links/$1" current.tmp 2>/dev/null ||
            ln -s -- "releases/$1" current.tmp; } && mv -fT -- current.tmp ../current ||
            { cause="current could not be pointed at $1"; return 1; }
    fi
    sync .. 2>/dev/null || :
    is=$(is_current) && [ "$is" = "$1" ] || { cause="current is ${is:-unreadable} after the flip"; return 1; }
    [ "$1" = - ] || ledger live "$1"
}

# Remembers the life of a unit that is about to end, and makes room for the next one: manual restarts count
# against the start limit, and a unit stuck in `activating` would eat its whole stop timeout.
ready() {
    look "$1" || { cause="systemd could not be asked about $1"; return 1; }
    before=" $1=$p_InvocationID$before"
    ctl reset-failed "$1" || :
    if [ "$phase" != switch ] && [ "$p_ActiveState" = activating ]; then ctl kill -s KILL "$1" || :; fi
}

# restart UNIT
step_restart() {
    ready "$1" || return 1
    ctl --no-block restart "$1" || { cause="systemctl could not restart $1: $(tail -n 1 "$R/said")"; return 1; }
    count_restarts "$1"
}

# socket UNIT SOCKET: restarts the service while its socket keeps the port; connections wait in the queue.
step_socket() {
    look "$2" || { cause="systemd could not be asked about $2"; return 1; }
    if [ "$p_ActiveState" != active ]; then
        [ "$phase" != switch ] || [ "$previous" = - ] || { cause="$2 is $p_ActiveState: nothing holds the port"; return 1; }
        # A crash loop closed it (service-start-limit-hit). A running service refuses it, and while the limit
        # still counts the first waiting connection closes it again.
        ctl stop "$1" || :
        ctl reset-failed "$1" || :
        ctl reset-failed "$2" || :
        ctl start "$2" || { cause="$2 could not be started"; return 1; }
    fi
    step_restart "$1"
}

# reload UNIT: the process stays and loads what `current` names now. One that died is started instead.
step_reload() {
    look "$1" || { cause="systemd could not be asked about $1"; return 1; }
    if [ "$p_ActiveState" != active ] || { [ "$phase" != switch ] && [ "$attempt_revert" -gt 1 ]; }; then
        step_restart "$1"
        return
    fi
    before=" $1=$p_InvocationID$before"
    ctl --no-block reload "$1" || { cause="systemctl could not reload $1: $(tail -n 1 "$R/said")"; return 1; }
}

# stop UNIT: only to undo a first deploy, where there is no release to go back to.
step_stop() {
    ctl stop "$1" || { cause="$1 could not be stopped"; return 1; }
}
