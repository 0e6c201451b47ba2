# The conductor's deadlines: no command of it hangs forever. What it cannot end itself (sudo runs as root, and nothing
# ends on a dead disk) systemd ends: `alive` stops coming, and WatchdogSec= of shipit-APP.service kills the conductor.
# Never here: what a step does.
# shellcheck shell=dash disable=SC2034,SC2154

# Each command gets its deadline by a function of its name. In the foreground: what ends the conductor ends them too.
# Waiting for the disk takes longest.
for deadline_of in awk:20 cat:20 chmod:60 curl:20 date:20 fallocate:20 find:60 flock:20 grep:20 head:20 id:20 \
    ln:20 mkdir:20 mv:20 perl:20 readlink:20 rm:60 sed:20 sort:20 ss:20 stat:20 sync:100 systemctl:20 tail:20 \
    tr:20 wc:20 xargs:60; do
    eval "${deadline_of%:*}() { timeout --foreground -k 5 ${deadline_of#*:} ${deadline_of%:*} \"\$@\"; }"
done

# alive: tells PID 1's watchdog that the conductor works, every ten seconds: it has counted since the conductor began. A
# guard that an earlier setup installed has no watchdog, and gives no socket.
alive_next=''
alive() {
    [ -n "${NOTIFY_SOCKET:-}" ] || return 0
    now
    [ "$now" -ge "${alive_next:=$((now + 1000))}" ] || return 0
    alive_next=$((now + 1000))
    timeout --foreground -k 5 20 systemd-notify WATCHDOG=1 2>/dev/null 9>&- || :
}

# Every wait sleeps, so every wait is alive. The probes that run beside the conductor do not speak for it.
sleep() { alive; command sleep "$@"; }

# A disk that turned read-only takes no mark: what went on now could not be undone, and a conductor that ended would be
# started again each second. So it waits until the disk can be written again. Also a moment longer: a request to stop
# waits for the same disk.
wait_for_disk() {
    local waited=''
    while read_only ledger; do
        [ -n "$waited" ] || echo "shipit: the disk of $PWD is read-only: waiting until it is writable" >&2
        waited=yes
        sleep 2
    done
    [ -z "$waited" ] || { sleep 2; event note disk 'it was read-only, and is writable again'; }
}
