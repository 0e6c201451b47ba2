# Prints which programs, and which modules of Python, the deploy user's login does not find, as the commands of
# `prepare` would. Imports no module. Changes nothing.
# args: (program NAME - | module PYTHON NAME)…
# prints: path PATH · missing N, by the number of what was asked · whole at the end
set -e
eval "${SHIPIT_LOGIN-}"
printf 'path %s\n' "$PATH"
look='import sys, importlib.util as u; sys.exit(9 if u.find_spec(sys.argv[1]) is None else 0)'
n=0
while [ $# -ge 3 ]; do
    code=0
    case $1 in
    program) command -v -- "$2" >/dev/null || code=9 ;;
    # Any other status is no answer.
    module) "$2" -I -c "$look" "$3" >/dev/null 2>&1 </dev/null || code=$? ;;
    esac
    [ "$code" != 9 ] || echo "missing $n"
    n=$((n + 1))
    shift 3
done
echo whole
