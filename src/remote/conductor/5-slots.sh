# The conductor's steps for instances. Each runs from the release that its slot names, and starts only while its slot
# exists (ConditionPathExists=): so one rename decides what a reboot starts. Never here: `current`.
# shellcheck shell=dash disable=SC2034,SC2154

# slot: ../slots/NAME -> ../releases/ID in one rename, from a link prepared when the release was published. `-`: none.
step_slot() {
    local slot to is
    arguments 'slot to' "$@" || return 1
    case $slot in '' | .* | *[!0-9A-Za-z_.]*) cause="not a slot: $slot"; return 1 ;; esac
    is=$(release_of "../slots/$slot") || { cause="slots/$slot could not be read"; return 1; }
    [ "$to" = - ] || [ -d "../releases/$to" ] || { cause="release $to does not exist"; return 1; }
    begin_change || return 1
    # The way back starts the instance again: what it runs from is not known any more.
    [ "$phase" != switch ] || mark "slot-$slot" || { cause='the mark could not be written'; return 1; }
    if [ "$to" = - ]; then
        rm -f -- "../slots/$slot" || { cause="slots/$slot could not be removed"; return 1; }
    elif [ "$is" != "$to" ]; then
        { [ -d ../slots ] || mkdir ../slots; } && rm -f -- slot.tmp &&
            { ln -P -- "releases/$to/slot" slot.tmp 2>/dev/null || ln -s -- "../releases/$to" slot.tmp; } &&
            mv -fT -- slot.tmp "../slots/$slot" || { cause="slots/$slot could not be pointed at $to"; return 1; }
    fi
    if [ -d ../slots ]; then sync ../slots .. 2>/dev/null || :; fi
    is=$(release_of "../slots/$slot") && [ "$is" = "$to" ] || { cause="slots/$slot is ${is:-unreadable}"; return 1; }
}

# resume: an instance of the old release, on the way back. One that never stopped goes on; else it is started again.
# While a socket is closed each of its instances is stopped: one that runs keeps it from opening.
step_resume() {
    local unit slot socket also
    arguments 'unit slot socket' "$@" || return 1
    if [ "$socket" != - ]; then
        need_unit "$socket" || return 1
        if [ "$p_ActiveState" != active ]; then
            for also in $(systemctl "--$manager" show -p Triggers --value -- "$socket" 2>/dev/null); do
                [ "$also" = "$unit" ] || ctl stop "$also" || :
            done
            open_socket || return 1
            restart_unit "$unit"
            return
        fi
    fi
    need_unit "$unit" || return 1
    if kept "$slot"; then
        # `activating` is one that a boot has just started.
        case $p_ActiveState in active | reloading | activating) count_restarts "$unit"; return 0 ;; esac
    fi
    restart_unit "$unit"
}

# kept SLOT: whether this is the way back, and the switch had not come to this instance yet. In a later attempt each
# starts again, unless it was the router that could not be turned.
kept() {
    [ "$phase" != switch ] && ! marked "slot-$1" || return 1
    case $attempt_revert/$failed_step in 1/* | */route | */drain) ;; *) return 1 ;; esac
}

# slots_in_use: the releases that slots name, one a line.
slots_in_use() {
    local slot
    for slot in ../slots/*; do
        [ ! -L "$slot" ] || release_of "$slot" || return 1
    done
}

# point_back: at boot, before the app starts: only the pointers of the revert list.
point_back() {
    local line booting=yes
    while IFS= read -r line <&8; do
        case $line in
        'revert route '*' router=haproxy '*) continue ;; # it does not run yet, and finds out itself
        'revert flip '* | 'revert slot '* | 'revert route '*) ;;
        *) continue ;;
        esac
        set -f
        # shellcheck disable=SC2086 # a line splits at its spaces; its bytes are encoded
        set -- $line
        set +f
        shift
        # shellcheck disable=SC2145 # the step's name is the first word
        "step_$@" 8<&-
    done 8<"$R/request"
}
