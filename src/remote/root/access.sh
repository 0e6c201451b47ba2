# Prints what may keep the deploy user or the app's user out, as root. Changes nothing; setup_access.sh does the work.
# args: root app user group
# exits: 40 not root
# shellcheck shell=sh disable=SC2034
set -eu
[ "$(id -u)" = 0 ] || exit 40
root=$1 user=$3 group=$4 sudo_rule=/etc/sudoers.d/shipit-$2
