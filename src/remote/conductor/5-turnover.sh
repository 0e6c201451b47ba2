# The conductor's steps that change what is live. Each is one rename or one systemctl call, and means "make
# it so": running it twice is harmless.
# shellcheck shell=dash disable=SC2034,SC2154

step_flip() {
    local to
    arguments to "$@" || return 1
    flip_to "$to"
}

# flip_to ID: `current` -> releases/ID in one rename, from a link prepared when the release was published
# (so it needs no inode and no block).
flip_to() {
    local is
    is=$(is_current) || { cause="current could not be read"; return 1; }
    # Also when reverting: a `current` that leads nowhere is worse than one that was not confirmed.
    [ "$1" = - ] || [ -d "../releases/$1" ] || { cause="release $1 does not exist"; return 1; }
    begin_change "$is" || return 1
    target_release=$1
    if [ "$1" = - ]; then
        [ "$is" = - ] || mv -fT -- ../current current.gone || { cause='current could not be removed'; return 1; }
    elif [ "$is" != "$1" ]; then
        rm -f -- current.tmp && { ln -P -- "links/$1" current.tmp 2>/dev/null ||
            ln -s -- "releases/$1" current.tmp; } && mv -fT -- current.tmp ../current ||
            { cause="current could not be pointed at $1"; return 1; }
    fi
    sync .. 2>/dev/null || :
    is=$(is_current) && [ "$is" = "$1" ] || { cause="current is ${is:-unreadable} after the flip"; return 1; }
    [ "$1" = - ] || ledger live "$1" || {
        cause='the ledger could not be written'
        # On the way back nothing may keep the services from the old release.
        [ "$phase" != switch ]
    }
}

# before_restart UNIT: records the invocation that is about to end, and makes room for the next one: manual restarts
# count against the start limit, and a unit stuck in `activating` would use up its whole stop timeout.
before_restart() {
    need_unit "$1" || return 1
    before=" $1=$p_InvocationID$before"
    # Where nothing counts and nothing failed there is nothing to reset, and sudo costs more than the restart.
    case $p_ActiveState-$p_NRestarts-$p_StartLimitIntervalUSec in active-0-0) ;; *) ctl reset-failed "$1" || : ;; esac
    [ "$phase" = switch ] || ! is_starting || ctl kill -s KILL "$1" || :
}

# Between two attempts of a crash loop there is no process to kill. The next one may be of the old release, and serve.
is_starting() {
    case $p_ActiveState/$p_SubState in activating/auto-restart*) return 1 ;; activating/*) ;; *) return 1 ;; esac
}

step_restart() {
    local unit
    arguments unit "$@" || return 1
    restart_unit "$unit"
}

# restart_unit UNIT
restart_unit() {
    local tries=0
    before_restart "$1" || return 1
    until ctl --no-block restart "$1"; do
        tries=$((tries + 1))
        [ "$tries" -lt 3 ] || { cause="systemctl could not restart $1: $(ctl_output)"; return 1; }
        # Busy, as while systemd executes itself again: the limit may still count as well.
        sleep 1
        ctl reset-failed "$1" || :
    done
    count_restarts "$1"
}

# socket: restarts the service while its socket keeps the port; connections wait in the queue.
step_socket() {
    local unit socket
    arguments 'unit socket' "$@" || return 1
    need_unit "$socket" || return 1
    if [ "$p_ActiveState" != active ]; then
        [ "$phase" != switch ] || [ "$previous" = - ] || {
            cause="$socket is $p_ActiveState: nothing holds the port"
            return 1
        }
        open_socket || return 1
    fi
    restart_unit "$unit"
}

# open_socket: the caller's socket, which a crash loop closed (service-start-limit-hit). A running service refuses it,
# and while the limit still counts the first waiting connection closes it again.
open_socket() {
    ctl stop "$unit" || :
    ctl reset-failed "$unit" || :
    ctl reset-failed "$socket" || :
    insist start "$socket" || { cause="$socket could not be started"; return 1; }
}

# reload: the process stays and loads what `current` names now. One that died is started instead.
step_reload() {
    local unit
    arguments unit "$@" || return 1
    need_unit "$unit" || return 1
    if [ "$p_ActiveState" != active ] || { [ "$phase" != switch ] && [ "$attempt_revert" -gt 1 ]; }; then
        restart_unit "$unit"
        return
    fi
    before=" $unit=$p_InvocationID$before"
    began_reload "$unit"
    insist --no-block reload "$unit" || { cause="systemctl could not reload $unit: $(ctl_output)"; return 1; }
}

# stop: waits until the unit has finished its requests. On the way back one that has not started yet is killed: it could
# use up its whole stop timeout.
step_stop() {
    local unit
    arguments unit "$@" || return 1
    if [ "$phase" != switch ]; then
        need_unit "$unit" || return 1
        ! is_starting || ctl kill -s KILL "$unit" || :
    fi
    insist stop "$unit" || { cause="$unit could not be stopped"; return 1; }
}
