# What is known of an instance that stops, for a drain trial: from systemd, /proc and the journal. Only reads.
# shellcheck shell=dash disable=SC2034,SC2154

# hears PID: whether the process catches (or waits for) the caller's signal, ignores it, or ends by it.
hears() {
    local key value caught=0 ignored=0 bit=$((1 << (signal - 1)))
    while read -r key value; do
        # Without the upper half, which has no signal of interest: a shell cuts a number that is too long.
        case $key in
        SigBlk: | SigCgt:) caught=$((caught | 0x${value#????????})) ;;
        SigIgn:) ignored=$((0x${value#????????})) ;;
        esac
    done <"/proc/$1/status" || return 1
    if [ $((caught & bit)) != 0 ]; then echo caught
    elif [ $((ignored & bit)) != 0 ]; then echo ignored
    else echo ends; fi
} 2>/dev/null

# print_manner UNIT: prints `show PROPERTY=VALUE` of how systemd stops it, and `signal` with what its processes do when
# the signal comes: caught if one of those that get it does so.
print_manner() {
    local shown line main=0 signal='' kills='' group='' pid pids one all=''
    shown=$(systemctl "--$manager" show -p MainPID,KillSignal,KillMode,ControlGroup,TimeoutStopUSec,ExecStop -- "$1") ||
        { cause="systemd did not return the stop settings of $1"; return 1; }
    while IFS= read -r line; do
        case $line in
        MainPID=*) main=${line#*=} ;;
        KillSignal=*) signal=${line#*=} ;;
        KillMode=*) kills=${line#*=} ;;
        ControlGroup=*) group=${line#*=} ;;
        esac
    done <<END
$shown
END
    printf '%s\n' "$shown" | sed 's/^/show /'
    case $signal in [1-9] | [12][0-9] | 3[01]) ;; *) return 0 ;; esac
    pids=$main
    [ "$kills" != control-group ] ||
        for one in "/sys/fs/cgroup$group" "/sys/fs/cgroup/systemd$group"; do
            [ ! -r "$one/cgroup.procs" ] || pids="$pids $(find "$one" -name cgroup.procs -exec cat '{}' +)"
        done
    for pid in $pids; do
        [ "$pid" = 0 ] || all="$all $(hears "$pid" || echo unknown)"
    done
    case $all in
    '') ;;
    *caught*) echo 'signal caught' ;;
    *unknown*) ;;
    *ignored*) echo 'signal ignored' ;;
    *) echo 'signal ends' ;;
    esac
}

# print_end: prints `after PROPERTY=VALUE` of how the invocation `was` ended. After a restart, systemd has its Result=
# only in the journal.
print_end() {
    local tries=0 lines result=''
    systemctl "--$manager" show -p ActiveExitTimestampMonotonic -p InactiveEnterTimestampMonotonic -- "$unit" |
        sed 's/^/after /'
    [ "$mode" = live ] || { echo "after Result=$p_Result"; return; }
    while [ -z "$result" ] && [ "$tries" -lt 8 ]; do
        [ "$tries" = 0 ] || sleep 0.5
        tries=$((tries + 1))
        lines=$(unit_journal "$unit" | grep -F '"_PID":"1"' | grep -F "\"$was\"")
        result=$(printf '%s\n' "$lines" | sed -n 's/.*"UNIT_RESULT":"\([a-z-]*\)".*/\1/p' | tail -n 1)
        # SD_MESSAGE_UNIT_SUCCESS
        [ -n "$result" ] || case $lines in *'"7ad2d189f7e94e70a38c781354912448"'*) result=success ;; esac
    done
    echo "after Result=$result"
}
