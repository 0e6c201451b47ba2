# One command in the live release, run by the helper of run_service.sh as the user of a service. systemd has entered the
# unit's working directory: if that is not in a release, the command runs in `current`. This shell outlives the signals
# that end the command, to report how it ended.
# args: root command args…
# exits: 126 cannot change to the directory of the live release · else the command's
SHIPIT_ROOT=$1 SHIPIT_RELEASE=$(pwd -P)
case $SHIPIT_RELEASE in
"$1"/releases/?*) ;;
*) cd -P -- "$1/current/" && SHIPIT_RELEASE=$(pwd -P) || exit 126 ;;
esac
shift
SHIPIT_RELEASE=${SHIPIT_RELEASE#"$SHIPIT_ROOT/releases/"}
SHIPIT_RELEASE=${SHIPIT_RELEASE%%/*}
export SHIPIT_ROOT SHIPIT_RELEASE
# The client says in its own words that there is none.
command -v -- "$1" >/dev/null 2>&1 || exec 2>/dev/null
trap : HUP INT QUIT TERM
"$@"
exit $?
