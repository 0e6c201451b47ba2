# Asks one health address once, with the conductor's own words (conductor/1-words.sh and 2-measure.sh stand before
# this). Prints `good CENTISECONDS` or `bad CENTISECONDS why`. Changes nothing.
# args: root kind target status contains release seconds
# shellcheck disable=SC2154 # now and said are the conductor's
cd "$1/.shipit" 2>/dev/null || cd /
shift
now
began=$now
# Not echo: dash's takes a backslash of the answer for an escape, and `\c` for the end of the line.
if probe "$@"; then now && echo "good $((now - began))"; else now && printf 'bad %s %s\n' "$((now - began))" "$said"; fi
