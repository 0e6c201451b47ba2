# Answers questions about the files, users and processes that units name, each on lines that begin with the question's
# number, and at last `whole`. Changes nothing. What cannot be read is `unreadable`, never absent.
# args: (kind value)…
set -e
code=0 # of a command that may fail; each question is answered in a shell of its own

# known DATABASE NAME: whether an account exists; getent exits with 2 when it does not.
known() {
    getent "$1" "$2" >/dev/null 2>&1 </dev/null || code=$?
    case $code in 0) echo yes ;; 2) echo no ;; *) echo unreadable ;; esac
}

# calendar EXPRESSION: elapses, never or invalid.
calendar() {
    command -v systemd-analyze >/dev/null || { echo unreadable; return; }
    next=$(LC_ALL=C systemd-analyze calendar --iterations=1 -- "$1" 2>&1 </dev/null) || code=$?
    # It says which expression it refuses: without a word it was not judged.
    case $code/$next in
    0/*'elapse: never'*) echo never ;;
    0/*) echo elapses ;;
    *"$1"*) echo invalid ;;
    *) echo unreadable ;;
    esac
}

# unusable FILE: what keeps the kernel from starting a program, beyond its mode.
unusable() {
    program=$(head -n 1 -- "$1" 2>/dev/null | LC_ALL=C tr -d '\000\r' |
        LC_ALL=C sed -n 's/^#![[:blank:]]*\(\/[^[:blank:]]*\).*/\1/p')
    [ -z "$program" ] || [ "$(file "$program")" != absent ] || echo "interpreter $program"
    case ,$(findmnt -no OPTIONS --target "$1" 2>/dev/null </dev/null), in *,noexec,*) echo noexec ;; esac
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
            fds=$(printf '%s\n' "$fds" | sed -n 's/.*socket:\[\([0-9]*\)\].*/\1/p') || { echo unreadable; return; }
            for inode in $fds; do inodes="$inodes $inode"; done
        elif [ -d "/proc/$pid" ]; then echo unreadable; return; fi
    done
    echo "sockets $inodes"
}

look_at "$@"; n=0
while [ $# -ge 2 ]; do
    case $1 in
    file | way | calendar | holds | content | keys) "$1" "$2" ;;
    user) known passwd "$2" ;;
    group) known group "$2" ;;
    groups) id -Gn -- "$2" 2>/dev/null || echo unreadable ;;
    tasks)
        if processes "$2"; then
            # shellcheck disable=SC2086 # process ids; this is a shell of its own
            set -- $pids
            echo $#
        elif [ -e "$tree$2" ]; then echo unreadable
        else echo 0
        fi ;;
    # By grep's exit status; a directory or a device is not opened.
    reports)
        if [ -f "$2" ]; then
            grep -aqE 'NOTIFY_SOCKET|sd_notify' -- "$2" 2>/dev/null || code=$?
            echo "grep $code"
            # A carriage return at the end of the first line is part of the interpreter's name.
            if head -n 1 -- "$2" 2>/dev/null | LC_ALL=C grep -aq "^#!.*$(printf '\r')\$"; then echo crlf; fi
            unusable "$2"
        else echo 'no file'
        fi ;;
    verify)
        out=$(systemd-analyze verify --man=no -- "$2" 2>&1 </dev/null) || code=$?
        # It fails where it finds something; without a word it did not look.
        if [ "$code" -ge 126 ] || { [ "$code" != 0 ] && [ -z "$out" ]; }; then echo unreadable
        else printf 'asked\n%s\n' "$out"; fi ;;
    security)
        out=$(systemd-analyze security --no-pager -- "$2" 2>/dev/null </dev/null |
            sed -n 's/.*exposure level for .*: \([0-9][0-9.]*\) .*/\1/p') || out=''
        echo "${out:-unreadable}" ;;
    signals) sed -n 's/^SigCgt:[[:space:]]*//p' "/proc/$2/status" 2>/dev/null || echo unreadable ;;
    # A word of a rule: not a part of a longer name.
    claimed)
        if [ ! -r /etc/sudoers.d ] || [ ! -x /etc/sudoers.d ]; then echo unreadable
        else
            apps=''
            for rule in /etc/sudoers.d/shipit-*; do
                [ -e "$rule" ] || continue
                words=$(tr -s ' ,\\\\' '\n' <"$rule" 2>/dev/null) || { apps=''; echo unreadable; break; }
                ! printf '%s\n' "$words" | grep -qxF -e "$2" || apps="$apps ${rule#/etc/sudoers.d/shipit-}"
            done
            echo "claimed$apps"
        fi ;;
    storage)
        out=$(systemd-analyze cat-config "$2" 2>/dev/null </dev/null | sed -n 's/^[[:space:]]*Storage=//p' | tail -n 1)
        echo "${out:-auto}" ;;
    space)
        if [ ! -e "$2" ]; then echo absent
        else
            out=$(df -Pk -- "$2" 2>/dev/null | awk 'NR == 2 { print $4, $2 }') || out=''
            echo "${out:-unreadable}"
            out=$(df -Pi -- "$2" 2>/dev/null | awk 'NR == 2 { print ($2 > 0 ? $4 : "none") }')
            echo "${out:-unreadable}"
        fi ;;
    esac | while IFS= read -r line || [ -n "$line" ]; do printf '%s %s\n' "$n" "$line"; done
    n=$((n + 1))
    shift 2
done
echo whole
