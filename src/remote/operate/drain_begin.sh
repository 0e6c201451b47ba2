# What comes before a drain trial: the idle instance starts, or a live one leaves HAProxy. Each has to serve first.
# shellcheck shell=dash disable=SC2034,SC2154

# healthy: whether the live instance passes its check before the trial.
healthy() {
    local release=-
    probe 2 || { cause="$unit is not healthy: $detail"; return 1; }
}

# begin_instance ARGUMENTS: starts the idle one from the live release. No router sends it requests.
begin_instance() {
    [ "$server" = - ] || set_server "$server" drain || return 1
    step_slot "slot=$slot" "to=$target_release" || return 1
    before=" $unit=$p_InvocationID"
    ctl reset-failed "$unit" || :
    ctl --no-block restart "$unit" || { cause=$(printf '%s\n' "$answer" | failed_reason); return 1; }
    count_restarts "$unit"
    step_await "$@"
}

# may_leave: HAProxy has the live one ready, and another one that serves.
may_leave() {
    local from="$server"
    [ "$server" != - ] || return 0
    read_server "$server" && can_leave || { cause=$detail; return 1; }
    [ $((server_admin & ~4)) = 0 ] || { cause="$server is not ready in HAProxy"; return 1; }
}

# leave_router: HAProxy sends the live one no more requests.
leave_router() {
    local from="$server" end open
    [ "$server" != - ] || return 0
    set_server "$server" drain || return 1
    now; end=$((now + 3000))
    while open=$(connections_haproxy) && [ "${open:-0}" != 0 ] && now && [ "$now" -lt "$end" ]; do sleep 0.2; done
}
