# Runs one command in the live release, as the deploy user: each argument is one word, byte for byte.
# args: root command args…
# exits: 126 cannot change to the directory of the live release · else the command's
SHIPIT_ROOT=$1
cd -P -- "$SHIPIT_ROOT/current/" || exit 126
SHIPIT_RELEASE=${PWD##*/}
export SHIPIT_ROOT SHIPIT_RELEASE
shift
exec "$@"
