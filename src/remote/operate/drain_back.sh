# Puts an instance back as it was before a drain trial, whatever ended the trial. The mark `trial` in $ROOT/.shipit has
# a line for each of these: mode (idle, live), unit, slot, its server in HAProxy, HAProxy's socket; `-` for none.
# shellcheck shell=dash disable=SC2034,SC2154

# How long an instance may take to stop before it is killed, in hundredths of a second.
limit=12000

# mark_trial: before anything changes. It is there whole, or not at all.
mark_trial() {
    printf '%s\n' "$mode" "$unit" "$slot" "$server" "$at" >trial.new && sync trial.new &&
        mv -fT -- trial.new trial && sync .
}

# wait_until_gone UNIT: waits until the invocation `was` has ended. One that takes longer than the limit is killed.
wait_until_gone() {
    local end began
    now; began=$now end=$((now + limit))
    while need_unit "$1"; do
        now
        case $p_InvocationID/$p_ActiveState/${p_Job:-0} in
        "$was"/inactive/0 | "$was"/failed/0) return 0 ;;
        # The request to systemd may be on its way.
        "$was"/active/0) [ $((now - began)) -lt 3000 ] || { cause="systemd did not stop $1"; return 1; } ;;
        "$was"/*) ;;
        *) return 0 ;;
        esac
        [ "$now" -lt "$end" ] || {
            [ -z "$killed" ] || { cause="$1 did not end within 30s after SIGKILL"; return 1; }
            killed=yes end=$((now + 3000))
            ctl kill -s KILL "$1" || :
        }
        sleep 0.1
    done
    return 1
}

# stop_in_time UNIT: as `systemctl stop` does, and not longer than the limit.
stop_in_time() {
    local job
    need_unit "$1" || return 1
    was=$p_InvocationID
    case $p_ActiveState in inactive | failed) return 0 ;; esac
    ctl stop "$1" 9>&- &
    job=$!
    wait_until_gone "$1" || return 1
    wait "$job" || :
}

# put_back: as the mark records it, which then goes.
put_back() {
    local mode='' unit='' slot='' server='' at=''
    { read -r mode && read -r unit && read -r slot && read -r server && read -r at; } <trial || {
        cause="$root/.shipit/trial could not be read"
        return 1
    }
    if [ "$mode" = idle ]; then
        stop_in_time "$unit" || return 1
        ctl reset-failed "$unit" || :
        step_slot "slot=$slot" to=- || return 1
    else
        need_unit "$unit" || return 1
        was=$p_InvocationID
        case $p_ActiveState/${p_Job:-0} in
        # systemd starts it again when it has stopped.
        deactivating/* | active/[1-9]*) wait_until_gone "$unit" || return 1 ;;
        inactive/0 | failed/0)
            ctl reset-failed "$unit" || :
            ctl --no-block restart "$unit" || { cause="$unit could not be started"; return 1; } ;;
        esac
        [ "$server" = - ] || set_server "$server" ready || return 1
    fi
    rm -f -- trial.probes trial && sync .
}
