# The second half of env_helper.sh, in the same file on the host: the change itself, in the directory that was found
# safe. The input is checked line by line, merged with the file, and replaces it in one rename.
# exits: 50 a line that systemd might read differently · 51 the environment was changed in the meantime
#        53 stdin was cut off
# shellcheck shell=sh disable=SC2154
[ "$bytes" -le 65536 ] || { echo 'more than 64 KiB' >&2; exit 50; }
[ "$expected" = any ] || [ "$expected" = "$version" ] ||
    { echo "/etc/$app/env was changed in the meantime" >&2; exit 51; }
rm -f .env.in .env.new .env.unit
if [ "$exists" = yes ]; then cp env .env.old; else : >.env.old; fi
head -c 65537 >.env.in
[ "$(wc -c <.env.in)" = "$bytes" ] || { rm -f .env.in .env.old; echo 'the input arrived incomplete' >&2; exit 53; }
trap 'rm -f .env.in .env.new .env.old .env.unit' EXIT
if [ "$verb" = unset ]; then sed 's/$/=/' .env.in >.env.new && mv .env.new .env.in; fi
strict .env.in 'the input'

# refuse WHY: if .env.new names a variable.
refuse() {
    [ -s .env.new ] || return 0
    echo "$(head -n 1 .env.new) is for the unit to set (Environment=), which only root writes$1" >&2
    exit 50
}

if [ "$verb" != unset ]; then
    # The loader, libc, shells and some interpreters obey these, also those that a unit starts as root
    # (`ExecStartPre=+`).
    obeyed='LD_.*|GCONV_PATH|GLIBC_TUNABLES|PATH|IFS|ENV|BASH_ENV|BASHOPTS|SHELLOPTS|PS4'
    obeyed="$obeyed|(PERL|PYTHON|RUBY)[0-9]*(LIB|OPT|PATH|HOME|DB|USERBASE|PYCACHEPREFIX|PLATLIBDIR)"
    names .env.in | grep -xE "$obeyed" >.env.new || :
    refuse ''
    # Apps need these, and may have them while no unit that reads this file has such a line.
    runtime='NODE_(OPTIONS|PATH)|(_JAVA|JDK_JAVA|JAVA_TOOL)_OPTIONS|CLASSPATH|PYTHON.*|RUBY.*|GEM_.*|BUNDLE_.*'
    runtime="$runtime|PHP.*|LUA_.*|DOTNET_.*|CORECLR_.*|BROWSER"
    names .env.in | grep -xE "$runtime" >.env.new || :
    units=''
    [ ! -s .env.new ] ||
        units=$(find /etc/systemd/system /run/systemd/system /usr/lib/systemd/system -maxdepth 1 -name '*.service') || :
    for unit in $units; do
        cat -- "$unit" "/etc/systemd/system/${unit##*/}.d"/*.conf >.env.unit 2>/dev/null || :
        if grep -qE "^[[:space:]]*EnvironmentFile=[[:space:]]*-?(/etc/$app/|.*[%*?[])" .env.unit &&
            grep -qE '^[[:space:]]*Exec[A-Za-z]*=[^/]*[+!]|;[[:space:]]*[@:-]*[+!]' .env.unit; then
            refuse ": ${unit##*/} reads this file, and has a line that runs as root"
        fi
    done
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
