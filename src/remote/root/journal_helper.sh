#!/bin/sh
# Prints the journal of an app's units as JSON lines, as root. `shipit setup` installs it as
# /usr/local/lib/shipit/APP/journal; sudo lets the deploy user run it with exactly these units. The query comes on
# stdin, a line each, and is checked here: nothing of it can become an option of journalctl, or another unit.
# args: units…
# stdin: unit NAME · lines N · since TIME · until TIME · priority WORD · grep PATTERN · life ID (or invocation ID)
#        follow · or in-use ROOT, which releases below ROOT processes run from · and at last a line `end`
# exits: 2 not understood · 53 stdin was cut off · else journalctl's
set -eu
LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
# What sudo hands over besides, by its own rules, steers nothing. Only this process has this number.
case $0-${SHIPIT_OWN-} in
/*-$$) ;;
/*) exec env -i "PATH=$PATH" LC_ALL=C "SUDO_USER=${SUDO_USER-}" "SHIPIT_OWN=$$" /bin/sh "$0" "$@" ;;
esac
ours=" $* " chosen='' invocations='' ended=no use=''
[ $# -gt 0 ] || exit 2
for unit in "$@"; do
    case $unit in -* | *[!A-Za-z0-9@._:-]*) exit 2 ;; esac
done
set -- --output=json --no-pager --quiet
refuse() {
    echo "$1" >&2
    exit 2
}
while [ "$ended" = no ] && IFS= read -r line; do
    value=${line#* }
    case $line in
    end) ended=yes ;;
    'in-use '*)
        case $value in /*) use=$value ;; *) refuse 'not a directory' ;; esac ;;
    follow) set -- "$@" --follow ;;
    'unit '*)
        case $value in '' | *[!A-Za-z0-9@._:-]*) refuse 'not a valid unit name' ;; esac
        case $ours in *" $value "*) chosen="$chosen $value" ;; *) refuse "$value is not a unit of this app" ;; esac
        ;;
    'lines '*)
        case $value in '' | *[!0-9]* | ????????*) refuse 'lines: a number' ;; esac
        set -- "$@" "--lines=$value"
        ;;
    'since '* | 'until '*)
        case $value in '' | *[!A-Za-z0-9\ :+.,/@_-]*) refuse 'not a point in time' ;; esac
        set -- "$@" "--${line%% *}=$value"
        ;;
    'priority '*)
        case $value in
        emerg | alert | crit | err | warning | notice | info | debug) set -- "$@" "--priority=$value" ;;
        *) refuse 'not a priority' ;;
        esac
        ;;
    'grep '*) set -- "$@" "--grep=$value" ;;
    'life '* | 'invocation '*)
        case $value in
        *[!0-9a-f]*) refuse 'not an invocation' ;;
        ????????????????????????????????) ;;
        *) refuse 'not an invocation' ;;
        esac
        invocations="$invocations $value"
        ;;
    *) refuse 'another version of shipit installed this helper' ;;
    esac
done
[ "$ended" = yes ] || exit 53
# Always by unit: an invocation alone could be that of another service.
for unit in ${chosen:-$ours}; do set -- "$@" "--unit=$unit"; done
plus=''
for id in $invocations; do
    set -- "$@" ${plus:+"$plus"} "_SYSTEMD_INVOCATION_ID=$id" + "INVOCATION_ID=$id"
    plus=+
done
[ -n "$use" ] || exec journalctl "$@"
