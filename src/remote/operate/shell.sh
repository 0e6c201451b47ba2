# An interactive shell in the live release (before the first one: in the app's root), as the deploy user: the login's
# own, with its environment.
# args: root
# exits: 126 cannot change to the directory of the live release · else the shell's
unset LANG LC_ALL
[ -z "${SHIPIT_TTY-}" ] || stty "$SHIPIT_TTY"
eval "${SHIPIT_LOGIN-}"
unset SHIPIT_LOGIN
# After the login's PWD, which is that of its home.
if [ -e "$1/current" ]; then cd -- "$1/current" || exit 126; else cd -- "$1" || exit 126; fi
shell=${SHELL:-/bin/sh}
exec "$shell" -i
