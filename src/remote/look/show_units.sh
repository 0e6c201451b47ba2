# The properties of units, for observe.sh. Only reads.
# shellcheck shell=dash disable=SC2154

# show_units UNIT…: prints `unit NAME PROPERTY=VALUE` for each of them, or `unreadable unit NAME`. systemd is asked once
# for all; where it has no answer for each, once for every unit.
show_units() {
    local shown unit
    [ $# != 0 ] || return 0
    if shown=$(TZ=UTC systemctl "$manager" show \
        -p LoadState,ActiveState,SubState,UnitFileState,Type,CanReload,TriggeredBy,User,Result,Id \
        -p NeedDaemonReload,MainPID,NRestarts,InvocationID,ActiveEnterTimestamp,ExecMainStartTimestamp,RestartUSec \
        -p TimeoutStartUSec,TimeoutStopUSec,MemoryCurrent,TasksCurrent,StatusText,FragmentPath,NextElapseUSecRealtime \
        -p RemainAfterExit,Names,DropInPaths,WorkingDirectory,StartLimitIntervalUSec,NonBlocking,Triggers \
        -p NoNewPrivileges,PrivateUsers,PrivateNetwork,ProtectSystem,ProtectHome,ReadOnlyPaths,ReadWritePaths \
        -p Restart,RefuseManualStart,RefuseManualStop,StandardOutput,StandardError -- "$@" </dev/null) &&
        # An empty line stands between two units.
        shown=$(printf '%s\n' "$shown" | names="$*" awk '
            BEGIN { RS = ""; FS = "\n"; units = split(ENVIRON["names"], name, " ") }
            { for (i = 1; i <= NF; i++) print "unit", name[NR], $i }
            END { exit NR != units }')
    then printf '%s\n' "$shown"
    elif [ $# = 1 ]; then echo "unreadable unit $1"
    else for unit in "$@"; do show_units "$unit"; done
    fi
}

# started_at LINES: of what show_units printed, when the processes of the units started, in the form that the ledger
# has: `Sat 2026-11-21 04:06:38 UTC` is 2026-11-21T04:06:38Z.
started_at() {
    printf '%s\n' "$1" |
        sed -n 's/^unit [^ ]* ExecMainStartTimestamp=[^ ]* \([0-9-]*\) \([0-9:]*\) UTC$/\1T\2Z/p'
}
