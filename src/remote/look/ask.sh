# Sends one health request, with the conductor's own probe (conductor/1-marks.sh and 2-probe.sh stand before this).
# Prints `good CENTISECONDS` or `bad CENTISECONDS why`, and at last `whole`. Changes nothing.
# args: root seconds release|- and the named arguments of a check
# shellcheck disable=SC2034,SC2154 # the conductor's
cd "$1/.shipit" 2>/dev/null || cd /
seconds=$2 wanted=$3
shift 3
if ! arguments "$check_arguments" "$@"; then
    printf 'bad 0 %s\nwhole\n' "$cause"
    exit 0
fi
release=$wanted
now
began=$now
# Not echo: dash's takes a backslash of the answer for an escape, and `\c` for the end of the line.
if probe "$seconds"; then
    now
    echo "good $((now - began))"
else
    now
    printf 'bad %s %s\n' "$((now - began))" "$detail"
fi
echo whole
