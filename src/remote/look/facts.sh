# Answers questions about the files, users and processes that units name, each on lines that begin with the question's
# number. Changes nothing. What cannot be read is `unreadable`, never absent.
# args: (kind value)…

# file PATH: `there OWNER GROUP MODE KIND`, absent, or unreadable.
file() {
    if out=$(stat -L -c '%U %G %a %F' -- "$1" 2>/dev/null); then echo "there $out"; return; fi
    at=$(readlink -m -- "$1") || { echo unreadable; return; }
    # Absent only if the nearest existing directory may be searched.
    while [ "$at" != / ]; do
        at=${at%/*}
        at=${at:-/}
        [ -d "$at" ] || continue
        if [ -x "$at" ]; then echo absent; else echo unreadable; fi
        return
    done
    echo unreadable
}

# known DATABASE NAME: whether an account exists; getent exits with 2 when it does not.
known() {
    getent "$1" "$2" >/dev/null 2>&1 </dev/null
    case $? in 0) echo yes ;; 2) echo no ;; *) echo unreadable ;; esac
}

# calendar EXPRESSION: elapses, never or invalid.
calendar() {
    command -v systemd-analyze >/dev/null || { echo unreadable; return; }
    next=$(systemd-analyze calendar --iterations=1 -- "$1" 2>/dev/null </dev/null) || { echo invalid; return; }
    case $next in *'elapse: never'*) echo never ;; *) echo elapses ;; esac
}

# processes CGROUP: sets pids; fails when they cannot be read.
processes() {
    for tree in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
        [ ! -r "$tree$1/cgroup.procs" ] || break
    done
    pids=$(find "$tree$1" -name cgroup.procs -exec cat '{}' + 2>/dev/null)
}

# holds CGROUP: the inodes of all sockets that its processes hold open.
holds() {
    processes "$1" || { echo unreadable; return; }
    inodes=''
    for pid in $pids; do
        if [ -r "/proc/$pid/fd" ] && fds=$(ls -l "/proc/$pid/fd" 2>/dev/null); then
            inodes="$inodes $(printf '%s\n' "$fds" | sed -n 's/.*socket:\[\([0-9]*\)\].*/\1/p' | tr '\n' ' ')"
        elif [ -d "/proc/$pid" ]; then echo unreadable; return; fi
    done
    echo "sockets $inodes"
}

n=0
while [ $# -ge 2 ]; do
    case $1 in
    file) file "$2" ;;
    user) known passwd "$2" ;;
    group) known group "$2" ;;
    groups) id -Gn -- "$2" 2>/dev/null || echo unreadable ;;
    calendar) calendar "$2" ;;
    holds) holds "$2" ;;
    tasks)
        if processes "$2"; then printf '%s\n' "$pids" | grep -c '[0-9]'
        elif [ -e "$tree$2" ]; then echo unreadable
        else echo 0
        fi ;;
    # By grep's exit status; a directory or a device is not opened.
    reports)
        if [ -f "$2" ]; then
            grep -aqE 'NOTIFY_SOCKET|sd_notify' -- "$2" 2>/dev/null
            echo "grep $?"
        else echo 'no file'
        fi ;;
    verify)
        if command -v systemd-analyze >/dev/null; then
            echo asked
            systemd-analyze verify --man=no -- "$2" 2>&1 </dev/null
        else echo unreadable; fi ;;
    security) systemd-analyze security --no-pager -- "$2" 2>/dev/null </dev/null |
        sed -n 's/.*exposure level for .*: \([0-9][0-9.]*\) .*/\1/p' ;;
    signals) sed -n 's/^SigCgt:[[:space:]]*//p' "/proc/$2/status" 2>/dev/null ;;
    space) [ -e "$2" ] || echo absent
        df -Pk -- "$2" 2>/dev/null | awk 'NR == 2 { print $4, $2 }' ;;
    esac | sed "s/^/$n /"
    n=$((n + 1))
    shift 2
done
echo "asked $n"
