# How each kind of router is turned to the instance `to`, and asked about it: turn_KIND, routed_KIND (whether it sends
# requests to `to` and to nobody else; sets detail), and connections_KIND (how many it has to `from`).
# nginx and Caddy find the instance through the file system at each request: nobody reloads them. HAProxy is asked over
# its admin socket. Never here: when this is done, nor nginx in parts (5-parts.sh).
# shellcheck shell=dash disable=SC2034,SC2154

# link: the symlink `at` names the unix socket that the router connects to.
routed_link() {
    local is
    is=$(readlink -- "$at") || is=nothing
    [ "$is" = "$to" ] || { detail="$at points to $is"; return 1; }
}

# One rename, of a symlink prepared at the last turn: it needs no inode and no block.
turn_link() {
    [ -L "$at" ] || [ ! -e "$at" ] || { cause="$at is not a symlink: shipit replaces only its own"; return 1; }
    rm -f -- "$at.new" && { { prepared "$to" && ln -P -- "routes/${to##*/}" "$at.new" 2>/dev/null; } ||
        ln -s -- "$to" "$at.new"; } && mv -fT -- "$at.new" "$at" ||
        { cause="$at could not be pointed at $to"; return 1; }
    sync "${at%/*}" 2>/dev/null || :
    prepare_link "$to" && prepare_link "$from" || :
}

prepared() { [ "$(readlink -- "routes/${1##*/}" 2>/dev/null)" = "$1" ]; }
prepare_link() {
    prepared "$1" || { mkdir -p routes && rm -f "routes/${1##*/}" && ln -s -- "$1" "routes/${1##*/}"; } 2>/dev/null
}

connections_link() {
    open=$(ss -Hx state connected 2>/dev/null </dev/null) || return 1
    printf '%s\n' "$open" | awk -v path="$from" '$5 == path { n++ } END { print n + 0 }'
}

# port: the router connects to the port that has a file `at`.PORT. With both files or none, it still takes one.
routed_port() {
    local file=$at.${to##*:} other=$at.${from##*:}
    [ -f "$file" ] || { detail="$file does not exist"; return 1; }
    [ ! -e "$other" ] || { detail="$other exists too"; return 1; }
}

# One rename of the other port's file: it needs no inode and no block.
turn_port() {
    local file=$at.${to##*:} other=$at.${from##*:}
    if [ -f "$file" ]; then rm -f -- "$other"
    elif [ -f "$other" ]; then mv -fT -- "$other" "$file"
    else true >"$file"; fi || { cause="$file could not be created, or $other could not be removed"; return 1; }
    sync "${at%/*}" 2>/dev/null || :
}

connections_port() {
    open=$(ss -Htn state established state close-wait "sport = :${from##*:}" 2>/dev/null </dev/null) || return 1
    printf '%s' "$open" | awk 'END { print NR }'
}

routed_haproxy() {
    read_server "$to" || return 1
    [ $((server_admin & ~4)) = 0 ] && [ "$server_up" != 0 ] && [ "$server_weight" != 0 ] || {
        detail="HAProxy reports $to with state $server_up, administrative state $server_admin, weight $server_weight"
        return 1
    }
    [ "$from" != - ] || return 0
    read_server "$from" || return 1
    [ $((server_admin & ~4)) != 0 ] || { detail="$from is also ready in HAProxy"; return 1; }
}

# reached: whether the router itself can reach `to`. nginx and Caddy find out when a request comes.
reached() {
    [ "$router" = haproxy ] || return 0
    read_server "$to" || return 1
    case $server_up in 1 | 2) ;; *) detail="HAProxy's own check of $to fails"; return 1 ;; esac
}

# turn_haproxy: `to` first, so that a server is ready at any moment. State and weight are always set: both outlive a
# deploy, and nothing shows it.
turn_haproxy() { set_server "$to" ready && { [ "$from" = - ] || set_server "$from" drain; }; }

# can_leave: whether HAProxy has another server than `from` that is up and ready, or sends `from` no requests anyway. A
# HAProxy that was just reloaded does not answer for a moment. Sets detail.
can_leave() {
    local answer end
    now; end=$((now + 1000))
    until answer=$(haproxy "$at" "show servers state ${from%/*}"); do
        detail="HAProxy did not answer: $answer"
        now; { [ "$now" -lt "$end" ] && ! stop_requested; } || return 1
        sleep 0.2
    done
    detail="HAProxy has no other server in ${from%/*} that is ready"
    printf '%s\n' "$answer" | servers_of "${from%/*}" | awk -v own="${from#*/}" '
        ($2 == 1 || $2 == 2) && ($3 == 0 || $3 == 4) && $4 { if ($1 == own) serves = 1; else others = 1 }
        END { exit !NR || serves && !others }'
}

# set_server SERVER STATE
set_server() {
    local answer
    answer=$(haproxy "$at" "set server $1 state $2; set server $1 weight 100%") ||
        { cause="HAProxy: $answer"; return 1; }
    read_server "$1" || { cause="HAProxy: $detail"; return 1; }
    case $2/$((server_admin & ~4)) in ready/0 | drain/[1-9]*) return 0 ;; esac
    cause="HAProxy has $1 not in state $2: $(printf '%s' "$answer" | tr '\n' ' ')"
    return 1
}

# read_server BACKEND/NAME: sets server_up, server_admin and server_weight, as servers_of has them.
read_server() {
    local answer
    answer=$(haproxy "$at" "show servers state ${1%/*}") || { detail=$answer; return 1; }
    answer=$(printf '%s\n' "$answer" | servers_of "${1%/*}" | awk -v name="${1#*/}" '$1 == name { print $2, $3, $4 }')
    server_up=${answer%% *} server_weight=${answer##* } server_admin=${answer#* } server_admin=${server_admin% *}
    [ -n "$answer" ] || { detail="HAProxy has no server $1"; return 1; }
}

connections_haproxy() {
    haproxy "$at" "show servers conn ${from%/*}" | awk -v name="$from" '$1 == name { print $7 }'
}
