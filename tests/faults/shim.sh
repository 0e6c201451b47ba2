#!/bin/sh
# Stands in front of one external command of the deploy user, in /usr/local/bin under its name: counts the calls, and
# strikes once, at the call that `want` names. Runs the real command otherwise. What follows is not its business.
#   /var/lib/faults/want: CALL MODE, mode: fails, undone, before, after, hangs, full, or count (strikes never);
#   after+N is a pair: like after, and the Nth call behind it fails
me=${0##*/} faults=/var/lib/faults
case $me in sudo) real=/usr/bin/sudo ;; *) real=/usr/bin/$me ;; esac
[ -e "$faults/want" ] || exec "$real" "$@"
read -r at mode <"$faults/want" || exec "$real" "$@"
# Another user's, such as the app's or root's.
[ -O "$faults/calls" ] || exec "$real" "$@"
# Counted by names that only one can make: the two ends of a pipe call at the same time.
n=1
[ ! -e "$faults/calls/hint" ] || read -r n <"$faults/calls/hint" || n=1
until (set -C && echo "$me" >"$faults/calls/$n") 2>/dev/null; do
    [ -d "$faults/calls" ] || exec "$real" "$@"
    n=$((n + 1))
done
echo "$n" >"$faults/calls/hint"
case $mode in after+*) [ "$n" != "$((at + ${mode#*+}))" ] || mode=fails at=$n ;; esac
[ "$n" = "$at" ] && [ "$mode" != count ] || exec "$real" "$@"
echo "$n $mode $me $*" >>"$faults/struck"
case $mode in
fails) exit 1 ;;
full) echo "$me: write error: No space left on device" >&2; exit 1 ;;
# Longer than the command's deadline: conductor/0-deadlines.sh, and 240 seconds for sudo.
hangs)
    case $me in sudo) long=300 ;; sync) long=110 ;; rm | chmod | find | xargs) long=70 ;; *) long=30 ;; esac
    exec /usr/bin/timeout "$long" sleep 1000 ;;
before) kill -KILL 0 ;;
esac
"$real" "$@"
status=$?
case $mode in
after*) kill -KILL 0 ;;
undone) exit 1 ;;
esac
exit $status
