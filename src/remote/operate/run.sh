# Runs one command in the live release, as the deploy user: each argument is one word, byte for byte.
# args: root command args…
# exits: 126 the live release cannot be entered · else the command's
SHIPIT_ROOT=$1
cd -P -- "$SHIPIT_ROOT/current/" || exit 126
SHIPIT_RELEASE=${PWD##*/}
export SHIPIT_ROOT SHIPIT_RELEASE
shift
exec "$@"
