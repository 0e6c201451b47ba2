# Runs a script through sudo. A password, where one is needed, comes on stdin and is never an argument.
# args: script args…
text=$1
shift
if sudo -n true 2>/dev/null </dev/null; then exec sudo -n /bin/sh -c "$text" shipit "$@"; fi
exec sudo -S -p '' /bin/sh -c "$text" shipit "$@"
