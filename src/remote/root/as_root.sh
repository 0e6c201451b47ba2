# Runs a script through sudo. A password, where one is needed, comes on stdin and is never an argument.
# args: password|none (whether stdin begins with one) script args…
asked=$1 text=$2
shift 2
if [ "$asked" = none ] || sudo -n true 2>/dev/null </dev/null; then
    # A password that is not needed is read here: the programs that the script starts must not find it.
    [ "$asked" = none ] || IFS= read -r asked || :
    exec sudo -n /bin/sh -c "$text" shipit "$@"
fi
exec sudo -S -p '' /bin/sh -c "$text" shipit "$@"
