#!/bin/sh
# Runs one command as a service of an app: with the user, environment, working directory and sandbox of its unit.
# `shipit setup` installs it as /usr/local/lib/shipit/APP/run; sudo lets the deploy user run it with exactly these
# units. All else comes on stdin, as one line: `1 VERB BY ID UNIT TERM TEXT`. What follows is the command's own stdin.
# TEXT is the command, for sh and in base64: only a process of the unit's user decodes it, and nothing here does.
# args: app units…
# exits: 2 not understood · 53 stdin was cut off · 57 the unit cannot run commands (printed)
set -eu
LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
# What sudo hands over besides, by its own rules, steers nothing. Only this process has this number.
case $0-${SHIPIT_OWN-} in
/*-$$) ;;
/*) exec env -i "PATH=$PATH" LC_ALL=C "SUDO_USER=${SUDO_USER-}" "SHIPIT_OWN=$$" /bin/sh "$0" "$@" ;;
esac
fail() {
    echo "$2" >&2
    exit "$1"
}
app=${1-}
case $app in '' | -* | *[!a-z0-9-]*) exit 2 ;; esac
[ $# -gt 1 ] || exit 2
shift
for unit in "$@"; do
    case $unit in -* | *[!A-Za-z0-9@._:-]*) exit 2 ;; esac
done
# A line without an end must not fill the host's memory.
limit=$(ulimit -S -v)
ulimit -S -v 65536
IFS=' ' read -r form verb by id unit term text || exit 53
ulimit -S -v "$limit"
case $form-$verb in
1-check | 1-run | 1-stop) ;;
*) fail 2 'another version of shipit installed this helper' ;;
esac
case $unit in '' | *[!A-Za-z0-9@._:-]*) fail 2 'not a valid unit name' ;; esac
case " $* " in *" $unit "*) ;; *) fail 57 "$unit is not a service of this app" ;; esac
case $id in
*[!0-9a-f]*) fail 2 'not an id' ;;
????????????????) ;;
*) fail 2 'not an id' ;;
esac
case $term in '' | [!A-Za-z0-9]* | *[!A-Za-z0-9._+-]*) fail 2 'not a valid terminal type' ;; esac
case $by in '' | *[!A-Za-z0-9@._+-]*) by=unknown ;; esac
[ ${#by} -le 128 ] && [ ${#term} -le 64 ] || fail 2 'a name is too long'
case $text in *[!A-Za-z0-9+/=]*) fail 2 'not base64' ;; esac
[ ${#text} -le 120000 ] || fail 2 'the command is longer than 90 kB'
name=shipit-run-$app-$id
if [ "$verb" = stop ]; then
    # It may be about to start.
    tries=0
    until [ "$tries" = 10 ]; do
        tries=$((tries + 1))
        [ "$(systemctl show -p LoadState --value -- "$name.service")" != loaded ] ||
            exec systemctl --no-block stop "$name.service"
        sleep 0.5
    done
    fail 57 'the command has not started, or has ended'
fi

# As systemd has the unit, whatever files say.
show=$(systemctl show -p LoadState,User,DynamicUser,NeedDaemonReload -- "$unit") ||
    fail 57 "systemd cannot show $unit"
value() { printf '%s\n' "$show" | sed -n "s/^$1=//p"; }
[ "$(value LoadState)" = loaded ] || fail 57 "systemd reports $unit as $(value LoadState)"
[ "$(value NeedDaemonReload)" = no ] ||
    fail 57 "the files of $unit have changed since systemd read them: systemctl daemon-reload"
user=$(value User)
case $user in
'' | root) fail 57 "$unit runs as root: a command would also run as root" ;;
*[!A-Za-z0-9._-]*) fail 57 "$unit runs as a user whose name has characters that shipit does not accept" ;;
esac
uid=$(id -u -- "$user" 2>/dev/null) || uid=unknown
case $uid-$(value DynamicUser) in
0-*) fail 57 "$unit runs as $user, who is root: a command would also run as root" ;;
unknown-yes) ;;
unknown-*) fail 57 "the user $user of $unit does not exist" ;;
esac
