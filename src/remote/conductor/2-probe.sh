# The conductor's probes: one health request at a time, for the verdict. 2-meter.sh measures the downtime.
# Never here: a change to anything.
# shellcheck shell=dash disable=SC2034,SC2154

# The arguments of a health check. A step that takes them declares each with `local`.
check_arguments='kind target status contains release'

# probe SECONDS: one health request, by the caller's variables kind, target, status, contains and release; release is
# `-`, or an id that the answer must contain. Sets detail (why it failed), lost (the same as a word of the meter) and
# wrong (the response, if the app gave one that waiting will hardly change). Bodies are read to 64 KiB at most;
# redirects are not followed. A command runs in the live release, or in probe_in.
probe() {
    older='' wrong='' lost=status
    local limit="$1" url="$target" answer code left child
    set --
    case $kind in
    none) return 0 ;;
    command)
        # Not `; printf $?`: where the caller has `set -e`, a subshell would end before it.
        # What it leaves running would hold the pipe: `timeout` gave it a process group, which ends with it.
        answer=$({
            # Its text may hold a password, and every local user can read a command line.
            (cd "${probe_in:-../current}/" && unset NOTIFY_SOCKET && export SHIPIT_HEALTH="$target" &&
                exec timeout -k 1 "$limit" sh -c 'set -- "$SHIPIT_HEALTH"; unset SHIPIT_HEALTH; eval "shift; $1"'
            ) 2>&1 </dev/null 9>&- &
            child=$!
            wait "$child" && code=0 || code=$?
            kill -KILL "-$child" 2>/dev/null || :
            printf ' %s' "$code"
        } | tail -c 65536 | tr -d '\000')
        left=${answer##* } answer=$(printf %s "${answer% *}")
        [ "$left" != 0 ] || { answer_matches 'the health command'; return; }
        detail="the health command failed: $(printf %s "$answer" | tail -c 300 | tr '\n' ' ')"
        return 1 ;;
    tcp)
        timeout "$limit" bash -c 'exec 3<>"/dev/tcp/$1/$2"' - "${target%:*}" "${target##*:}" \
            2>/dev/null </dev/null 9>&- && return 0
        detail="no connection to $target" lost=refused
        return 1 ;;
    unix) set -- --unix-socket "${target%% *}" && url=http://localhost${target#* } ;;
    esac
    # The URL goes over stdin: every local user can read a command line. config::probe lets no quote into it.
    if [ "$contains$release" = - ]; then answer=$(request /dev/null "$@")
    else answer=$(request - "$@" | tail -c 65536 | tr -d '\000'); fi
    # The last line: the status of the answer, and curl's own.
    code=${answer##*
}
    answer=${answer%?"$code"} left=${code#* } code=${code% *}
    case $code in '' | 000) no_answer "$left"; return 1 ;; esac
    if [ "$left" = 28 ]; then
        detail="$url answered $code, but the response was incomplete after ${limit}s" lost=timeout
        return 1
    fi
    if [ "$code" != "$status" ]; then
        detail="$url answered $code, not $status"
        # What is not ready yet, or stands in front of what is not, answers so.
        case $code in 502 | 503 | 504) ;; *) wrong=$detail ;; esac
        return 1
    fi
    answer_matches "$url" || { [ -n "$older" ] || wrong=$detail; return 1; }
}

# request OUTPUT OPTION…: prints the response, if OUTPUT is `-`, and as the last line its status and that of curl.
request() {
    local to="$1"
    shift
    printf 'url = "%s"\n' "$url" | curl -q -K - -s -g --noproxy '*' --max-time "$limit" -o "$to" \
        -w '\n%{http_code}' -H 'Connection: close' -A shipit "$@" 2>/dev/null 9>&- && printf ' 0' || printf ' %s' $?
}

# no_answer STATUS: sets detail and lost by the exit status of curl (curl(1), "EXIT CODES").
no_answer() {
    case $1 in 7) lost=refused ;; 28) lost=timeout ;; 52) lost=closed ;; 55 | 56) lost=reset ;; *) lost=other ;; esac
    case $1 in
    0 | 1 | 8) detail="$url answered, but not with HTTP" ;;
    6) detail="the name in $url cannot be resolved" ;;
    7) detail="no connection to $url: $(why_closed)" ;;
    28) detail="no answer from $url within ${limit}s" ;;
    35) detail="the TLS handshake with $url failed (does it speak http?)" ;;
    52) detail="$url closed the connection without a response$(other_scheme)" ;;
    55 | 56) detail="$url reset the connection before its response$(other_scheme)" ;;
    51 | 60) detail="$url: its certificate is not trusted by the host (issuer, name or dates)" ;;
    77) detail="$url was not checked: the host has no CA certificates: apt install ca-certificates" ;;
    127) detail="$url was not checked: the host has no curl" ;;
    *) detail="$url could not be checked: curl ended with exit status $1" ;;
    esac
}

# other_scheme: a server that expects TLS closes a plain connection.
other_scheme() { case $kind-$url in unix-* | *https:*) ;; *) echo ' (does it speak https?)' ;; esac; }

# why_closed: why nothing answers at the caller's address.
why_closed() {
    local socket=${target%% *}
    if [ "$kind" = unix ] && [ -S "$socket" ] && [ ! -w "$socket" ]; then
        echo "only $(stat -c 'its owner %U and the group %G' -- "$socket") may connect to $socket, not $(id -un)"
    else echo 'nothing is listening there'; fi
}

# answer_matches WHO: the answer has the text and the release that are required. Sets older (yes: healthy, but not from
# that release).
answer_matches() {
    older=
    case $answer in
    *"$contains"*) ;;
    *) detail="the response of $1 does not contain the required text"; return 1 ;;
    esac
    [ "$release" = - ] && return 0
    case $answer in *"$release"*) return 0 ;; esac
    older=yes detail="the response from $1 does not contain the release id $release"
    case ${previous-} in
    -) detail="$detail: print it there, or remove \`release: true\` from deploy.yml" ;;
    *) detail="$detail: an older process may still be serving" ;;
    esac
    return 1
}
