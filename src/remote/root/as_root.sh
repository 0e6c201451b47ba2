# Runs a script through sudo. A password, where one is needed, comes on stdin and is never an argument.
# args: password|none (whether stdin begins with one) script args…
asked=$1 text=$2
shift 2
# What sudo and PAM set (the rules of sudo, /etc/environment) steers nothing.
own='exec env -i "PATH=$PATH" "HOME=$HOME" "SUDO_USER=$SUDO_USER" LANG=C LC_ALL=C /bin/sh -c "$@"'
if [ "$asked" = none ] || sudo -n -u root true 2>/dev/null </dev/null; then
    # A password that is not needed is read here: the programs that the script starts must not find it.
    [ "$asked" = none ] || IFS= read -r asked || :
    exec sudo -n -u root /bin/sh -c "$own" sh "$text" shipit "$@"
fi
exec sudo -S -u root -p '' /bin/sh -c "$own" sh "$text" shipit "$@"
