# Runs the app's own prepare command inside the received release, before anything live changes.
# args: root id command previous
set -eu
cd "$1/releases/.in-$2"
SHIPIT_ROOT=$1 SHIPIT_RELEASE=$2 SHIPIT_PREVIOUS=$4
export SHIPIT_ROOT SHIPIT_RELEASE SHIPIT_PREVIOUS
exec sh -c "$3" 2>&1
