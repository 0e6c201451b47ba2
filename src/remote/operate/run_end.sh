# Ends a command that runs as this user, when its connection is lost: the process group of the session gets SIGTERM, and
# SIGKILL after a minute and a half, as systemd does it to a service.
# shellcheck shell=sh
tries=18

# alone: whether nothing but the caller is left in the group.
alone() {
    local file stat members=0
    for file in /proc/[0-9]*/stat; do
        { read -r stat <"$file"; } 2>/dev/null || continue
        stat=${stat##*) }
        stat=${stat#* }
        stat=${stat#* }
        [ "${stat%% *}" != $$ ] || members=$((members + 1))
    done
    [ "$members" -le 1 ]
}

stop() {
    ! alone || return 1
    tries=$((tries - 1))
    [ "$tries" -ge 0 ] || kill -KILL -$$
    kill -TERM -$$
}
