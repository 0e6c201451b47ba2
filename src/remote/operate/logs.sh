# Prints the journal of one unit as JSON lines; with follow, goes on until the session ends.
# args: access(sudo|root) unit follow(yes|no)
if [ "$3" = yes ]; then set -- "$1" "--unit=$2" --lines=100 --output=json --no-pager --follow
else set -- "$1" "--unit=$2" --lines=1000 --output=json --no-pager; fi
access=$1
shift
if [ "$access" = sudo ]; then exec sudo -n -u root /usr/bin/journalctl "$@"; else exec journalctl "$@"; fi
