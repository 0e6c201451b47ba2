# What the conductor depends on outside of it: sudo; and the word of the client, which runs the verify command: word.sh
# brings it, as a file of this run. Never here: a change to anything.
# shellcheck shell=dash disable=SC2034,SC2154

# sudo_runs: whether sudo can become root in this unit. A drop-in of the host, such as one in service.d/, may forbid it:
# then no restart would work, and no revert. Sets cause.
sudo_runs() {
    local key='' value=''
    [ "$access" = sudo ] || return 0
    while read -r key value && [ "$key" != NoNewPrivs: ]; do :; done </proc/self/status
    [ "$value" != 1 ] || {
        cause="sudo cannot work where the conductor runs: a drop-in sets NoNewPrivileges=, or a setting that implies it"
        cause="$cause (systemctl cat 'shipit-*.service')"
        return 1
    }
}

# services_stand: every service is as its own verdict left it (stood: UNIT=INVOCATION=RESTARTS). Sets cause.
services_stand() {
    local one invocation restarts
    for one in $stood; do
        restarts=${one##*=} one=${one%=*}
        invocation=${one#*=}
        same_process "${one%%=*}" || return 1
    done
}

# verify: waits TIMEOUT seconds for the word. Without one, OTHERWISE decides: revert, or confirm. Meanwhile every
# service must stay as it was.
step_verify() {
    local timeout otherwise end
    arguments 'timeout otherwise' "$@" || return 1
    now; end=$((now + timeout * 100))
    until [ -e "$R/passed" ]; do
        stop_requested && return 1
        [ ! -e "$R/refused" ] || { cause='the verify command failed'; return 1; }
        now; [ "$now" -lt "$end" ] || {
            cause="the verify command gave no verdict within ${timeout}s"
            [ "$otherwise" = confirm ] || return 1
            event note verify "$cause: the host confirms without it"
            break
        }
        sleep 0.2
    done
    services_stand
}
