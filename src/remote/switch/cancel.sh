# Asks the conductor of one run to go back. One that has not started yet is withdrawn.
# args: root run
set -eu
cd "$1/.shipit/runs/$2"
true >>cancel || ln -- request cancel
sync .
