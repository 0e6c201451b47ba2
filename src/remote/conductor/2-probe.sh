# The conductor's probes: one health request at a time for the verdict, and one every 50 ms to measure the downtime.
# Never here: a change to anything.
# shellcheck shell=dash disable=SC2034,SC2154

# The arguments of a health check. A step that takes them declares each with `local`.
check_arguments='kind target status contains release'

# probe SECONDS: one health request, by the caller's variables kind, target, status, contains and release; release is
# `-`, or an id that the answer must contain. Sets detail (why it failed). Bodies are read to 64 KiB at most; redirects
# are not followed.
probe() {
    older=
    local limit="$1" url="$target" answer code left
    set --
    case $kind in
    none) return 0 ;;
    command)
        answer=$( (cd ../current/ && exec timeout -k 1 "$limit" sh -c "$target") 2>&1 </dev/null 9>&-) || {
            detail="the health command failed: $(printf %s "$answer" | tail -c 300 | tr '\n' ' ')"
            return 1
        }
        answer_matches 'the health command'
        return ;;
    tcp)
        timeout "$limit" bash -c 'exec 3<>"/dev/tcp/$1/$2"' - "${target%:*}" "${target##*:}" \
            2>/dev/null </dev/null 9>&- && return 0
        detail="no connection to $target"
        return 1 ;;
    unix) set -- --unix-socket "${target%% *}" && url=http://localhost${target#* } ;;
    esac
    answer=$({
        curl -q -s -g --max-time "$limit" -o - -w '\n%{http_code}' -H 'Connection: close' -A shipit "$@" \
            -- "$url" 2>/dev/null </dev/null 9>&-
        printf ' %s' $?
    } | tail -c 65536 | tr -d '\000')
    # The last line: the status of the answer, and curl's own.
    code=${answer##*
}
    answer=${answer%?"$code"} left=${code#* } code=${code% *}
    case $code in '' | 000) detail="no answer from $url within ${limit}s"; return 1 ;; esac
    if [ "$left" = 28 ]; then detail="$url answered $code, but not to its end within ${limit}s"; return 1; fi
    if [ "$code" != "$status" ]; then detail="$url answered $code, not $status"; return 1; fi
    answer_matches "$url"
}

# answer_matches WHO: the answer has the text and the release that are required. Sets older (yes: healthy, but not from
# that release).
answer_matches() {
    older=
    case $answer in *"$contains"*) ;; *) detail="$1 answered without the text asked for"; return 1 ;; esac
    [ "$release" = - ] && return 0
    case $answer in *"$release"*) return 0 ;; esac
    detail="$1 did not answer as release $release: an older process may still be serving" older=yes
    return 1
}

# measure: probes every 50 ms from here on, each on its own, so that a slow answer does not hide the ones behind it. A
# line per probe: start, end (centiseconds), ok or failed.
step_measure() {
    local kind target status contains release
    arguments "$check_arguments" "$@" || return 1
    release=-
    measure_loop >>"$R/probes" 2>/dev/null 9>&- &
    measuring="$measuring $!"
}

measure_loop() {
    local going=1 began good
    trap 'going=0' TERM
    while [ "$going" = 1 ]; do
        {
            now
            began=$now good=failed
            probe 10 && good=ok
            now
            printf '%s %s %s\n' "$began" "$now" "$good"
        } &
        sleep 0.05
    done
    wait
}

# Ends the probes; those under way are waited for. In this shell: only a parent can wait.
measure_end() {
    # shellcheck disable=SC2086 # process ids
    [ -z "$measuring" ] || { kill $measuring 2>/dev/null && wait $measuring 2>/dev/null; }
    measuring=''
}

# `probes,failed,longest-gap-in-ms`, or nothing when none was sent.
measured() {
    [ -s "$R/probes" ] || return 0
    sort -n -k 2,2 "$R/probes" | awk '
        { n++; if ($3 != "ok") { bad++; next }
          if (last != "" && $2 - last > gap) gap = $2 - last
          last = $2 }
        END { printf "%d,%d,%d", n, bad, gap * 10 }'
}
