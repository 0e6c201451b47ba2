# The conductor's steps for a router in front of instances: which instance gets the requests. Each changes one thing,
# and reads it back. Never here: how a kind of router is turned, which is in 5-routers.sh.
# shellcheck shell=dash disable=SC2034,SC2154

# isolate: HAProxy sends this server no request while its instance starts; it goes on checking it.
step_isolate() {
    local server at
    arguments 'server at' "$@" || return 1
    routed=''
    set_server "$server" drain
}

# route: new requests go to `to` and no longer to `from`, once the instance behind `to` is healthy at its own address.
# On the way back, time limits the wait: there is no better instance. At boot none runs yet. `instead` is the slot of an
# instance that restarts next, while `to` stands in for it; on the way back only if `to` is healthy.
step_route() {
    local to from router at instead within kind target status contains release end
    arguments "to from router at instead within $check_arguments" "$@" || return 1
    [ "$release" = - ] || release=$target_release
    [ "$instead" = - ] || {
        apart=''
        [ "$phase" = switch ] || { [ -z "${booting-}" ] && ! kept "$instead" && probe 2; } || return 0
    }
    "routed_$router" && return 0
    now; end=$((now + within * 100))
    until [ -n "${booting-}" ] || { probe 2 && reached; }; do
        stop_requested && return 1
        now; [ "$now" -lt "$end" ] || {
            [ "$phase" = switch ] || break
            cause="$to was not ready for requests after ${within}s: $detail"
            # Nobody loses anything by the restart of one that does not answer either.
            [ "$instead" != - ] && ! answers "$from" || return 1
            event note route "$cause; $from, which restarts now, does not answer either"
            return 0
        }
        sleep 0.1
    done
    [ "$instead" = - ] || begin_change || return 1
    routed=yes
    "turn_$router" || return 1
    "routed_$router" || { cause="the router was changed, but does not send requests to $to: $detail"; return 1; }
}

# answers SOCKET: whether the instance at this unix socket passes the check of the one that `to` names.
answers() {
    local target="$1 ${target#* }" contains='' detail
    probe 2
}

# drain: waits until no request is left at `from`, or `limit` is over: then the app finishes what is left when it stops.
# `several` is the slot of an instance that restarts next, while others serve.
step_drain() {
    local from router at limit several end open
    arguments 'from router at limit several' "$@" || return 1
    apart=''
    [ "$several" = - ] || {
        # One that the switch had not come to: its failure must not keep the others from going back.
        [ "$phase" = switch ] || marked "slot-$several" || apart=yes
        ! kept "$several" || return 0
        [ "$router" != haproxy ] || can_leave || {
            cause="$from was not drained: $detail"
            [ "$phase" != switch ] || return 1
            # On the way back it restarts all the same.
            event note drain "$cause"
            return 0
        }
        begin_change || return 1
        routed=''
    }
    # A HAProxy that was reloaded meanwhile has forgotten it.
    [ "$router" != haproxy ] || set_server "$from" drain || return 1
    now; end=$((now + limit * 100))
    while open=$("connections_$router") && [ -n "$open" ]; do
        [ "$open" != 0 ] || return 0
        stop_requested && return 1
        now; [ "$now" -lt "$end" ] || { event note drain "$from has $open connections after ${limit}s"; return 0; }
        sleep 0.2
    done
    event note drain "the connections of $from could not be counted"
}

