# nginx in parts: for each part of the requests a symlink (links) or a file for a port (ports), by its weight. The parts
# of a share lead to the new instance, the others to the old one. Never here: what a symlink or file is (5-routers.sh).
# shellcheck shell=dash disable=SC2034,SC2154

# The weights add up to 100, and any percentage is the sum of some of them.
parts='1 2 4 8 16 32 37'

# in_part PART FUNCTION: `at` is the part's own.
in_part() {
    local at="$at"
    case $router in
    links) at=${at%.sock}.$1.sock ;;
    ports) at=$at.$1 ;;
    esac
    "$2"
}

all_routed() {
    local part
    for part in $parts; do in_part "$part" "$1" || return 1; done
}

# One that cannot be turned keeps no other from it: in a revert, the others must not stay with a bad release.
turn_all() {
    local part failed=''
    for part in $parts; do in_part "$part" turn_part || failed="${failed:+$failed; }$cause"; done
    [ -z "$failed" ] || { cause=$failed; return 1; }
}

routed_links() { all_routed routed_link; }
turn_links() { turn_all; }
connections_links() { connections_link; }
routed_ports() { all_routed routed_port; }
turn_ports() { turn_all; }
connections_ports() { connections_port; }

# turn_part: the part at `at`, unless it leads there: all parts are turned with one prepared symlink, and rename(2) does
# nothing with two names of one file.
turn_part() { "routed_${router%s}" || "turn_${router%s}"; }

# parts_of PERCENT: the parts that add up to it, with a space around each.
parts_of() {
    local left=$1 part chosen=''
    [ "$left" -lt 64 ] || { chosen=' 37' left=$((left - 37)); }
    for part in 32 16 8 4 2 1; do
        [ "$left" -lt "$part" ] || { chosen="$chosen $part" left=$((left - part)); }
    done
    echo "$chosen "
}

# share_parts: `to` gets `share` of the requests, and `from` the others. Every part is set and read back. Those that
# leave `to` come first: meanwhile it never gets more than the larger of the two shares.
share_parts() {
    local one="$to" other="$from" mine gives part to from
    mine=$(parts_of "${share%\%}")
    for gives in "$other" "$one"; do
        for part in $parts; do
            case $mine in *" $part "*) to=$one from=$other ;; *) to=$other from=$one ;; esac
            [ "$to" = "$gives" ] && ! in_part "$part" "routed_${router%s}" || continue
            in_part "$part" turn_part || return 1
            in_part "$part" "routed_${router%s}" || { cause="some requests do not go to $to: $detail"; return 1; }
        done
    done
}
share_links() { share_parts; }
share_ports() { share_parts; }
