#!/bin/sh
# Prints the journal of an app's units as JSON lines, as root. `shipit setup` installs it as
# /usr/local/lib/shipit/APP/journal; sudo lets the deploy user run it with exactly these units. What is asked for comes on
# stdin, a line each, and is checked here: nothing of it can become an option of journalctl, or another unit.
# args: units…
# stdin: unit NAME · lines N · since TIME · until TIME · priority WORD · grep PATTERN · life INVOCATION · follow · end
# exits: 2 not understood · 53 cut off · else journalctl's
set -eu
LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
ours=" $* " chosen='' lives='' ended=no
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
    follow) set -- "$@" --follow ;;
    'unit '*)
        case $value in '' | *[!A-Za-z0-9@._:-]*) refuse 'that is no name of a unit' ;; esac
        case $ours in *" $value "*) chosen="$chosen $value" ;; *) refuse "$value is not a unit of this app" ;; esac
        ;;
    'lines '*)
        case $value in '' | *[!0-9]* | ????????*) refuse 'lines: a number' ;; esac
        set -- "$@" "--lines=$value"
        ;;
    'since '* | 'until '*)
        case $value in '' | *[!A-Za-z0-9\ :+.,/@_-]*) refuse "that is no point in time" ;; esac
        set -- "$@" "--${line%% *}=$value"
        ;;
    'priority '*)
        case $value in
        emerg | alert | crit | err | warning | notice | info | debug) set -- "$@" "--priority=$value" ;;
        *) refuse 'that is no priority' ;;
        esac
        ;;
    'grep '*) set -- "$@" "--grep=$value" ;;
    'life '*)
        case $value in *[!0-9a-f]*) refuse 'that is no invocation' ;; ????????????????????????????????) ;; *) refuse 'that is no invocation' ;; esac
        lives="$lives $value"
        ;;
    *) refuse 'another version of shipit wrote this helper' ;;
    esac
done
[ "$ended" = yes ] || exit 53
# Always by unit: an invocation alone could be that of another service.
for unit in ${chosen:-$ours}; do set -- "$@" "--unit=$unit"; done
plus=''
for life in $lives; do
    set -- "$@" ${plus:+"$plus"} "_SYSTEMD_INVOCATION_ID=$life" + "INVOCATION_ID=$life"
    plus=+
done
exec journalctl "$@"
