# Beside a command without a terminal: ends it when the connection is lost. sshd hangs up a terminal, but a command
# notices that its pipes have no reader only when it writes. Runs in the background of the session's shell, apart from
# its streams; that shell kills it once the command has ended. `stop` asks the command to end, and fails when it has.
# shellcheck shell=sh
trap '' TERM

# served: whether the session's shell is still a child of sshd.
served() {
    local stat
    { read -r stat </proc/$$/stat; } 2>/dev/null || return 1
    stat=${stat##*) }
    stat=${stat#* }
    [ "${stat%% *}" = "$PPID" ]
}

while served; do sleep 5; done
# It may not have begun yet: as long as the shell waits for it, it can.
while stop || [ -e /proc/$$ ]; do sleep 5; done
