#!/bin/sh
# Starts an app's notify unit for one run, as root. `shipit setup` installs it as /usr/local/lib/shipit/APP/notify; sudo
# lets the deploy user run it with exactly this template. What comes on stdin is checked here: it can name no other
# unit and no other file. The unit gets the facts by LoadCredential=; nobody else can read them.
# args: app template
# stdin: a line with the run · a line of JSON · a line `end`
# exits: 2 not understood · 53 stdin was cut off · else systemctl's
set -eu
LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
# What sudo hands over besides, by its own rules, steers nothing. Only this process has this number.
case $0-${SHIPIT_OWN-} in
/*-$$) ;;
/*) exec env -i "PATH=$PATH" LC_ALL=C "SHIPIT_OWN=$$" /bin/sh "$0" "$@" ;;
esac
[ $# = 2 ] || exit 2
case $1 in '' | *[!a-z0-9-]*) exit 2 ;; esac
case $2 in -* | *[!A-Za-z0-9@._-]*) exit 2 ;; ?*@.service) ;; *) exit 2 ;; esac
{ IFS= read -r run && IFS= read -r facts && IFS= read -r end && [ "$end" = end ]; } || exit 53
case $run in '' | -* | *[!0-9A-Za-z-]*) exit 2 ;; esac
[ ${#run} -le 64 ] && [ ${#facts} -le 65536 ] || exit 2
# Only root can make names in /run, and only root can enter this.
umask 077
dir=/run/shipit-notify-$1
mkdir -p -- "$dir"
find "$dir" -mindepth 1 -mmin +1440 -delete || :
printf '%s\n' "$facts" >"$dir/$run.new"
mv -fT -- "$dir/$run.new" "$dir/$run.json"
# The deploy user can ask for any number of runs: 100 stay in memory, and as many units in systemd's.
find "$dir" -name '*.json' -printf '%T@ %f\n' | sort -rn | tail -n +101 | while read -r _ old; do
    rm -f -- "$dir/$old"
    systemctl --no-block stop "${2%@.service}@${old%.json}.service" || :
    systemctl reset-failed "${2%@.service}@*.service" || :
done >/dev/null 2>&1
exec systemctl --no-block start "${2%@.service}@$run.service"
