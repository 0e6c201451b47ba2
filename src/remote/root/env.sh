#!/bin/sh
# Changes /etc/APP/env, the environment of one app, as root. `shipit setup` installs it as /usr/local/lib/shipit/APP/env;
# sudo lets the deploy user run it with exactly this app. All else comes on stdin: `1 VERB BY VERSION BYTES`, then so many
# bytes: assignments (set, push) or names (unset), one a line. It never prints or logs a value.
# args: app
# exits: 2 not understood · 50 a line that systemd might read otherwise · 51 changed meanwhile · 52 the place is not safe · 53 cut off
set -eu
umask 077
LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
app=${1-}
case $app in '' | -* | *[!a-z0-9-]*) exit 2 ;; esac
[ $# = 1 ] || exit 2
IFS=' ' read -r form verb by expected bytes || exit 53
case $form-$verb in 1-list | 1-set | 1-unset | 1-push) ;; *) echo 'another version of shipit wrote this helper' >&2; exit 2 ;; esac
case $bytes in '' | *[!0-9]* | ?????????*) exit 2 ;; esac
case $by in '' | *[!A-Za-z0-9@._+-]*) by=somebody ;; esac

# Where root writes, nobody else may: not the directory, not the file, and neither is a link.
cd /etc/
[ -d "$app" ] || [ "$verb" = list ] || mkdir -m 0755 "./$app"
if [ -d "$app" ]; then
    cd -P "./$app"
    [ "$(pwd -P)" = "/etc/$app" ] || { echo "/etc/$app is a link" >&2; exit 52; }
    case $(stat -c '%u %A' .) in 0\ d????-??-?*) ;; *) echo "/etc/$app can be changed by others than root" >&2; exit 52 ;; esac
    exec 9<.
    flock -w 20 9 || { echo "/etc/$app/env is being changed by somebody else" >&2; exit 51; }
    if [ -L env ] || { [ -e env ] && [ ! -f env ]; }; then echo "/etc/$app/env is not a plain file" >&2; exit 52; fi
else cd /proc/self; fi # list, and nothing there: an empty place without `env`
there=no version=-
if [ -d "/etc/$app" ] && [ -f env ]; then there=yes version=$(stat -c '%i-%s-%z' env | tr ' ' _); fi

# Whole lines that every reader of such files reads alike; the first other one is told by its number alone.
value="([^\"'\\\`\$[:space:]]([^\"'\\\`\$]*[^\"'\\\`\$[:space:]])?)?|'[^']*'|\"([^\"\\\`\$]|\\\\[\"\\\`\$])*\""
plain='^([#;].*[^\]|[#;]|[A-Za-z_][A-Za-z0-9_]*=('$value')[[:blank:]]*)?$'
strict() {
    [ "$(tr -d '\011\012\040-\176\200-\377' <"$1" | wc -c)" = 0 ] || { echo "$2 has control characters" >&2; exit 50; }
    odd=$(grep -anvE "$plain" "$1" | head -n 1 | cut -d : -f 1)
    [ -z "$odd" ] || { echo "line $odd of $2 is not NAME=value as systemd and others read it alike" >&2; exit 50; }
}
names() { grep -aoE '^[A-Za-z_][A-Za-z0-9_]*=' "$1" | tr -d = || :; }
if [ "$verb" = list ]; then
    echo "version $version"
    [ "$there" = no ] || names env | sed 's/^/name /'
    exit 0
fi

[ "$bytes" -le 65536 ] || { echo 'more than 64 KiB' >&2; exit 50; }
[ "$expected" = any ] || [ "$expected" = "$version" ] || { echo "/etc/$app/env was changed meanwhile" >&2; exit 51; }
rm -f .env.in .env.new
if [ "$there" = yes ]; then cp env .env.old; else : >.env.old; fi
head -c 65537 >.env.in
[ "$(wc -c <.env.in)" = "$bytes" ] || { rm -f .env.in .env.old; echo 'what was sent did not arrive whole' >&2; exit 53; }
trap 'rm -f .env.in .env.new .env.old' EXIT
if [ "$verb" = unset ]; then sed 's/$/=/' .env.in >.env.new && mv .env.new .env.in; fi
strict .env.in 'what was sent'
# The loader and shells obey these, also those that a unit starts as root (`ExecStartPre=+`): they are for the unit to set.
names .env.in | grep -xE 'LD_.*|GCONV_PATH|GLIBC_TUNABLES|PATH|IFS|ENV|BASH_ENV|BASHOPTS|SHELLOPTS|PS4|(PERL|PYTHON|RUBY)[0-9]*(LIB|OPT|PATH|HOME|DB)' >.env.new &&
    [ "$verb" != unset ] && { echo "$(head -n 1 .env.new) is for the unit to set (Environment=), which only root writes" >&2; exit 50; }
[ "$verb" = push ] || strict .env.old "/etc/$app/env"
# shellcheck disable=SC2016 # awk's own
awk -v verb="$verb" '
    function name(line) { return line ~ /^[A-Za-z_][A-Za-z0-9_]*=/ ? substr(line, 1, index(line, "=") - 1) : "" }
    FILENAME == ARGV[1] { if ((n = name($0)) != "") given[n] = $0; next }
    (n = name($0)) == "" || !(n in given) { print; next }
    verb == "set" && !(n in said) { print given[n]; said[n] = 1 }
    END { if (verb == "set") for (n in given) if (!(n in said)) print given[n] }' .env.in .env.old >.env.new
[ "$verb" != push ] || cp .env.in .env.new
awk '{ n = index($0, "=") ? substr($0, 1, index($0, "=") - 1) : ""; if (n !~ /^[A-Za-z_][A-Za-z0-9_]*$/) next }
    FILENAME == ARGV[1] { old[n] = $0; next }
    { now[n] = 1; print (n in old ? (old[n] == $0 ? "kept" : "changed") : "added"), n }
    END { for (n in old) if (!(n in now)) print "removed", n }' .env.old .env.new | sort >.env.in
grep -v '^kept ' .env.in || :
if [ "$there" = yes ] && cmp -s env .env.new; then exit 0; fi
chmod 0600 .env.new
sync .env.new
mv -fT .env.new env
sync . ..
logger -t shipit -p auth.notice -- "$app: $by (${SUDO_USER:-root}) changed /etc/$app/env: $(grep -v '^kept ' .env.in | tr '\n' ' ' | head -c 900)" || :
