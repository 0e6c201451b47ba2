# The second half of env_helper.sh, in the same file on the host: the change itself, in the directory that was found
# safe. The input is checked line by line, merged with the file, and replaces it in one rename.
# exits: 50 a line that systemd might read differently · 51 the environment was changed in the meantime
#        53 stdin was cut off
# shellcheck shell=sh disable=SC2154
# refuse WHY: if .env.new names a variable.
refuse() {
    [ -s .env.new ] || return 0
    echo "$(head -n 1 .env.new)$1" >&2
    exit 50
}

[ "$bytes" -le 65536 ] || { echo 'more than 64 KiB' >&2; exit 50; }
reader=''
[ "$verb" = unset ] || reader=$(root_reader) ||
    { echo 'systemd does not report which units read this file' >&2; exit 50; }
# One change at a time. The lock is where no other user can take it: any user can open /etc/APP.
exec 9>"/run/shipit-env-$app.lock"
flock -w 60 9 || { echo "/etc/$app/env is being changed by another command" >&2; exit 51; }
version
[ "$expected" = any ] || [ "$expected" = "$version" ] ||
    { echo "/etc/$app/env was changed in the meantime" >&2; exit 51; }
rm -f .env.in .env.new
if [ "$exists" = yes ]; then cp env .env.old; else : >.env.old; fi
head -c 65537 >.env.in
[ "$(wc -c <.env.in)" = "$bytes" ] || { rm -f .env.in .env.old; echo 'the input arrived incomplete' >&2; exit 53; }
trap 'rm -f .env.in .env.new .env.old' EXIT
if [ "$verb" = unset ]; then sed 's/$/=/' .env.in >.env.new && mv .env.new .env.in; fi
strict .env.in 'the input'

if [ "$verb" != unset ]; then
    # The loader, libc, shells and some interpreters obey these.
    obeyed='LD_.*|GCONV_PATH|GLIBC_TUNABLES|PATH|IFS|ENV|BASH_ENV|BASHOPTS|SHELLOPTS|PS4'
    obeyed="$obeyed|(PERL|PYTHON|RUBY)[0-9]*(LIB|OPT|PATH|HOME|DB|USERBASE|PYCACHEPREFIX|PLATLIBDIR)"
    names .env.in | grep -xE "$obeyed" >.env.new || :
    refuse ' can only be set in the unit (Environment=), which only root can change'
    if [ -n "$reader" ]; then
        list=/dev/null
        if [ -f env-names ] && [ ! -L env-names ]; then
            case $(stat -c '%u %A' env-names) in 0\ -????-??-?) list=env-names ;; esac
        fi
        names .env.in | grep -vxF -f "$list" >.env.new || :
        refuse ": $reader reads this file, and runs something as root with it; root can allow the name with a line in \
/etc/$app/env-names"
    fi
fi
[ "$verb" = push ] || strict .env.old "/etc/$app/env"
# shellcheck disable=SC2016 # awk's own
awk -v verb="$verb" '
    function name(line) { return line ~ /^[A-Za-z_][A-Za-z0-9_]*=/ ? substr(line, 1, index(line, "=") - 1) : "" }
    FILENAME == ARGV[1] { if ((n = name($0)) != "") given[n] = $0; next }
    (n = name($0)) == "" || !(n in given) { print; next }
    verb == "set" && !(n in done) { print given[n]; done[n] = 1 }
    END { if (verb == "set") for (n in given) if (!(n in done)) print given[n] }' .env.in .env.old >.env.new
[ "$verb" != push ] || cp .env.in .env.new
awk '{ n = index($0, "=") ? substr($0, 1, index($0, "=") - 1) : ""; if (n !~ /^[A-Za-z_][A-Za-z0-9_]*$/) next }
    FILENAME == ARGV[1] { old[n] = $0; next }
    { now[n] = 1; print (n in old ? (old[n] == $0 ? "kept" : "changed") : "added"), n }
    END { for (n in old) if (!(n in now)) print "removed", n }' .env.old .env.new | sort >.env.in
grep -v '^kept ' .env.in || :
if [ "$exists" = yes ] && cmp -s env .env.new; then exit 0; fi
chmod 0600 .env.new
sync .env.new
mv -fT .env.new env
sync . ..
changes=$(grep -v '^kept ' .env.in | tr '\n' ' ' | head -c 900)
logger -t shipit -p auth.notice -- "$app: $by (${SUDO_USER:-root}) changed /etc/$app/env: $changes" || :
