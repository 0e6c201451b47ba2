# Runs the conductor that is on the host, word for word, with one thing added: once, at the event that
# `want` names, it dies by SIGKILL, or stands still so that the power can be cut right there.
# args: root. Started by the guard's service instead of the conductor itself; /var/lib/point is the deploy user's.
text=$(sed 's/^event() {/event_as_it_is() {/' "$1/.shipit/conductor") || exit 1
# shellcheck disable=SC2016 # expanded by the conductor
struck='
event() {
    event_as_it_is "$@"
    [ -e /var/lib/point/want ] || return 0
    read -r blow want </var/lib/point/want
    case "$*" in $want) ;; *) return 0 ;; esac
    mv -T /var/lib/point/want /var/lib/point/struck
    case $blow in
    kill) kill -KILL $$ ;;
    hold) while :; do sleep 1; done ;;
    esac
}'
# A file: as an argument it would be longer than Linux takes one.
printf '%s\n%s\n' "$struck" "$text" >"/var/lib/point/conductor-$$" || exit 1
exec sh "/var/lib/point/conductor-$$" "$1"
