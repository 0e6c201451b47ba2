# Which releases processes run from, as far as this user may read it: the conductor asks, and root's helper. Only reads.
# shellcheck shell=dash

# in_use DIRECTORY: prints `ID PID` for each process whose working directory, program or root lies in a release below
# it, and `? PID` for each that could not be read: of another user, say. Fails when /proc could not be read at all.
in_use() {
    local proc=/proc dir="$1/" seen read pid status line all
    all=$(cd "$proc" && echo [0-9]*) || return 1
    # It fails for each link that cannot be read, and prints the others.
    seen=$(cd "$proc" && find $all -maxdepth 1 \( -name cwd -o -name exe -o -name root \) -printf '%p %l\n' \
        2>/dev/null) || :
    seen=$(printf '%s\n' "$seen" | awk -v dir="$dir" '
        $1 !~ /^[0-9]+\/(cwd|exe|root)$/ { next }
        { pid = $1; sub(/\/.*/, "", pid); to = substr($0, length($1) + 2) }
        to == "" { next }
        $1 ~ /cwd$/ { print "read", pid }
        index(to, dir) == 1 {
            id = substr(to, length(dir) + 1)
            sub(/[\/ ].*/, "", id)
            if (!((id, pid) in named)) print id, pid
            named[id, pid]
        }') || return 1
    printf '%s\n' "$seen" | sed '/^read /d' || return 1
    read=" $(printf '%s\n' "$seen" | sed -n 's/^read //p' | tr '\n' ' ') "
    # Where a process hides those of others, number 1 is not there either.
    for pid in 1 $all; do
        case $read in *" $pid "*) continue ;; esac
        status=''
        # All of it: a process can have a name with a newline in it.
        { while IFS= read -r line; do status="$status$line "; done <"$proc/$pid/stat"; } 2>/dev/null || :
        [ -n "$status" ] || [ "$pid" = 1 ] || [ -d "$proc/$pid" ] || continue
        # Behind its name: the state, and the flags (proc(5)). A dead one and the kernel's own run from nowhere.
        set -f
        # shellcheck disable=SC2086 # fields
        set -- ${status##*) }
        set +f
        case ${1-} in Z | X) continue ;; esac
        case ${7-x} in *[!0-9]*) ;; *) [ $(($7 & 0x200000)) = 0 ] || continue ;; esac
        echo "? $pid"
    done
}
