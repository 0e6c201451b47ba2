# Runs the app's own prepare command inside the received release, before anything live changes.
# args: root id command previous
set -eu
id=${held_id:-$2}
cd "$1/releases/.in-$id"
SHIPIT_ROOT=$1 SHIPIT_RELEASE=$id SHIPIT_PREVIOUS=$4
export SHIPIT_ROOT SHIPIT_RELEASE SHIPIT_PREVIOUS
# The lock on the directory is the session's: what the command leaves running must not keep it.
exec sh -c "$3" 2>&1 7<&-
