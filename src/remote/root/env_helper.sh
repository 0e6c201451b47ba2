#!/bin/sh
# Changes /etc/APP/env, the environment of one app, as root. `shipit setup` installs it as
# /usr/local/lib/shipit/APP/env; sudo lets the deploy user run it with exactly this app. All else comes on stdin:
# `1 VERB BY VERSION BYTES`, then so many bytes: assignments (set, push) or names (unset), one a line. It never prints
# or logs a value.
# args: app
# exits: 2 not understood · 50 a line that systemd might read differently · 52 users other than root can change the file
#        53 stdin was cut off · those of env_helper_change.sh
set -eu
umask 077
LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
# What sudo hands over besides, by its own rules, steers nothing. Only this process has this number.
case $0-${SHIPIT_OWN-} in
/*-$$) ;;
/*) exec env -i "PATH=$PATH" LC_ALL=C "SUDO_USER=${SUDO_USER-}" "SHIPIT_OWN=$$" /bin/sh "$0" "$@" ;;
esac
app=${1-}
case $app in '' | -* | *[!a-z0-9-]*) exit 2 ;; esac
[ $# = 1 ] || exit 2
# shellcheck disable=SC2034 # env_helper_change.sh goes on from here and uses them
IFS=' ' read -r form verb by expected bytes || exit 53
case $form-$verb in
1-list | 1-set | 1-unset | 1-push) ;;
*) echo 'another version of shipit installed this helper' >&2; exit 2 ;;
esac
case $bytes in '' | *[!0-9]* | ?????????*) exit 2 ;; esac
case $by in '' | *[!A-Za-z0-9@._+-]*) by=unknown ;; esac

# Where root writes, no other user may: not to the directory, not to the file, and neither is a link.
cd /etc/
# Another command may have made it just now.
[ -d "$app" ] || [ "$verb" = list ] || mkdir -m 0755 "./$app" 2>/dev/null || [ -d "$app" ]
if [ -d "$app" ]; then
    cd -P "./$app"
    [ "$(pwd -P)" = "/etc/$app" ] || { echo "/etc/$app is a symlink" >&2; exit 52; }
    case $(stat -c '%u %A' .) in
    0\ d????-??-?*) ;;
    *) echo "/etc/$app can be changed by users other than root" >&2; exit 52 ;;
    esac
    if [ -L env ] || { [ -e env ] && [ ! -f env ]; }; then echo "/etc/$app/env is not a plain file" >&2; exit 52; fi
else cd /proc/self; fi # list, and there is no directory: an empty one without `env`
# version: sets exists and version.
version() {
    exists=no version=-
    if [ -d "/etc/$app" ] && [ -f env ]; then exists=yes version=$(stat -c '%i-%s-%z' env | tr ' ' _); fi
}

# Whole lines that every reader of such files reads alike; of the first other one only the number is printed.
value="([^\"'\\\`\$[:space:]]([^\"'\\\`\$]*[^\"'\\\`\$[:space:]])?)?|'[^']*'|\"([^\"\\\`\$]|\\\\[\"\\\`\$])*\""
plain='^([#;].*[^\]|[#;]|[A-Za-z_][A-Za-z0-9_]*=('$value')[[:blank:]]*)?$'
strict() {
    [ "$(tr -d '\011\012\040-\176\200-\377' <"$1" | wc -c)" = 0 ] || { echo "$2 has control characters" >&2; exit 50; }
    odd=$(grep -anvE "$plain" "$1" | head -n 1 | cut -d : -f 1)
    [ -z "$odd" ] ||
        { echo "line $odd of $2 is not a NAME=value line that all programs read the same way" >&2; exit 50; }
}
names() { grep -aoE '^[A-Za-z_][A-Za-z0-9_]*=' "$1" | tr -d = || :; }
if [ "$verb" = list ]; then
    version
    echo "version $version"
    [ "$exists" = no ] || names env | sed 's/^/name /'
    exit 0
fi
