# A canary: the new instance gets a share of the requests while the old one serves the rest, and the two are compared.
# HAProxy counts the requests of clients and how many failed, nginx counts none; probes at both instances' own addresses
# measure how many fail and how long a response takes. Never here: who gets all requests (5-routers.sh), nor how nginx
# is turned in parts (5-parts.sh).
# shellcheck shell=dash disable=SC2034,SC2154

# canary: `share` of the requests go to `to` for `hold` seconds, and the others to `from`. Fails once the new instance
# does worse. The word `promote` ends the wait, unless it does worse at that moment.
step_canary() {
    local share router at to from hold requests old kind target status contains release end next_look=0 over=''
    local heard outcome='' one comparing='' new_count='' old_count='' new_sum='0 0' old_sum='0 0'
    arguments "share router at to from hold requests old $check_arguments" "$@" || return 1
    now; end=$((now + 3000)) release=-
    until reached; do
        now; { ! stop_requested && [ "$now" -lt "$end" ]; } || { cause=${cause:-$detail}; return 1; }
        sleep 0.2
    done
    true >"$R/canary-new" && true >"$R/canary-old" || { cause='the comparison could not be written'; return 1; }
    routed=yes
    # A HAProxy that is just reloaded does not answer for a moment, or forgets at once what it was told.
    now; heard=$now
    until "share_$router" && read_counters; do
        now; { ! stop_requested && [ $((now - heard)) -le 1000 ]; } || return 1
        cause=''
        sleep 0.2
    done
    [ "$kind" = none ] || [ "$kind" = command ] || compare_probes
    now; end=$((now + hold * 100)) heard=$now
    until stop_requested; do
        now
        [ "$now" -lt "$end" ] && [ ! -e "$R/promote" ] || over=yes
        [ "$now" -ge "$next_look" ] || [ -n "$over" ] || { sleep 0.2; continue; }
        next_look=$((now + 100))
        services_stand || break
        if "share_$router" && read_counters && { [ "$router" != haproxy ] || read_server "$to"; }; then
            heard=$now
            reached || { cause=$detail; break; }
            cause=$(compared worse) || cause='the instances could not be compared'
            [ -z "$cause" ] || break
            [ -z "$over" ] || { outcome=$(compared numbers); break; }
        elif [ $((now - heard)) -gt 1000 ]; then break
        else cause=''; fi
        sleep 0.2
    done
    for one in $comparing; do { kill -KILL "$one"; wait "$one"; } 2>/dev/null || :; done
    rm -f -- "$R/canary-new" "$R/canary-old" "$R/canary-answer"
    [ -z "$cause" ] && event note canary "$share: $outcome"
}

# Each instance is probed at its own address, as the downtime meter does it, but without extra probes: they measure a
# gap, and here only the share that fails counts.
compare_probes() {
    { unset -f curl tail tr; measure_loop 0; } >>"$R/canary-new" 2>/dev/null </dev/null 9>&- &
    comparing=$!
    # The text that the response must contain may name the instance.
    { target=$old contains=''; unset -f curl tail tr; measure_loop 0; } >>"$R/canary-old" 2>/dev/null </dev/null 9>&- &
    comparing="$comparing $!"
}

# share_haproxy: the weights first, read back, and then both servers ready: a backend that cannot change weights would
# send half of the requests to the new one. Said again at each look: a HAProxy that was reloaded has forgotten them.
share_haproxy() {
    local part=${share%\%} rest=$((100 - ${share%\%}))
    [ "$(weights)" != "$part/0 $rest/0" ] || return 0
    order "set server $from weight $rest; set server $to weight $part" || return 1
    case $(weights) in
    "$part/"*" $rest/"*) order "set server $to state ready; set server $from state ready" || return 1 ;;
    esac
    [ "$(weights)" != "$part/0 $rest/0" ] || return 0
    cause="HAProxy does not send $share of the requests to $to: $(tr '\n' ' ' <"$R/canary-answer")"
    return 1
}

order() { haproxy "$at" "$1" >"$R/canary-answer" || { cause="HAProxy: $(cat "$R/canary-answer")"; return 1; }; }

# weights: WEIGHT/ADMINISTRATIVE-STATE of the new server and of the old one.
weights() {
    local one
    for one in "$to" "$from"; do
        read_server "$one" || return 1
        printf '%s ' "$server_weight/$((server_admin & ~4))"
    done | sed 's/ $//'
}

# read_counters: adds what came since the last time to new_sum and old_sum, each `REQUESTS FAILED`.
read_counters() {
    local answer new_is old_is
    [ "$router" = haproxy ] || return 0
    answer=$(haproxy "$at" "show stat -1 4 -1") || { cause="HAProxy: $answer"; return 1; }
    new_is=$(printf '%s\n' "$answer" | counted "${to#*/}") old_is=$(printf '%s\n' "$answer" | counted "${from#*/}")
    [ -n "$new_is" ] && [ -n "$old_is" ] || { cause='HAProxy shows no counters for the instances'; return 1; }
    new_sum=$(summed $new_sum ${new_count:-$new_is} $new_is) old_sum=$(summed $old_sum ${old_count:-$old_is} $old_is)
    new_count=$new_is old_count=$old_is
}

# summed SUM FAILED WAS FAILED IS FAILED: a HAProxy that was reloaded counts from 0 again.
summed() {
    if [ "$5" -lt "$3" ] || [ "$6" -lt "$4" ]; then set -- "$1" "$2" 0 0 "$5" "$6"; fi
    echo $(($1 + $5 - $3)) $(($2 + $6 - $4))
}

# A request that HAProxy could not send, or that got no valid response, has no status of the server; in TCP mode none
# has one.
counted() {
    columns_of "${to%/*}" hrsp_1xx hrsp_2xx hrsp_3xx hrsp_4xx hrsp_5xx econ eresp stot | awk -v name="$1" '
        $1 == name { all = $2 + $3 + $4 + $5 + $6; print (all ? all + $7 + $8 : $9 + 0), $6 + $7 + $8 }'
}
