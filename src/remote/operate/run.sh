# Runs one command in the live release, as the deploy user: each argument is one word, byte for byte. It gets the
# environment that the login has.
# args: root command args…
# exits: 126 cannot change to the directory of the live release · else the command's
unset LANG LC_ALL
# On a terminal, keys mean again what they mean there.
[ -z "${SHIPIT_TTY-}" ] || stty "$SHIPIT_TTY"
eval "${SHIPIT_LOGIN-}"
unset SHIPIT_LOGIN
# After the login's PWD, which is that of its home.
cd -P -- "$1/current/" || exit 126
SHIPIT_ROOT=$1 SHIPIT_RELEASE=${PWD##*/}
export SHIPIT_ROOT SHIPIT_RELEASE
shift
# The client says in its own words that there is none.
command -v -- "$1" >/dev/null 2>&1 || exec 2>/dev/null
exec "$@"
