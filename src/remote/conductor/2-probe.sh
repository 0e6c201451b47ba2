# The conductor's probes: one health request at a time for the verdict, and one every 50 ms for the number
# that says how much downtime there was. Never here: a change to anything.
# shellcheck shell=dash disable=SC2034,SC2154

# probe KIND TARGET STATUS CONTAINS RELEASE SECONDS: one health request. RELEASE is `-`, or an id that the
# answer must contain. Sets said (why not). Bodies are read to 64 KiB at most; redirects are not followed.
probe() {
    older=
    local kind="$1" target status="$3" contains="$4" release="$5" limit="$6" answer code left
    target=$(decode "$2")
    set --
    case $kind in
    none) return 0 ;;
    command)
        answer=$( (cd ../current/ && exec timeout -k 1 "$limit" sh -c "$target") 2>&1 </dev/null 9>&-) ||
            { said="the health command failed: $(printf %s "$answer" | tail -c 300 | tr '\n' ' ')"; return 1; }
        answered "$contains" "$release" 'the health command'
        return ;;
    tcp) timeout "$limit" bash -c 'exec 3<>"/dev/tcp/$1/$2"' - "${target%:*}" "${target##*:}" 2>/dev/null </dev/null 9>&- &&
        return 0
        said="no connection to $target"
        return 1 ;;
    unix) set -- --unix-socket "${target%% *}" && target=http://localhost${target#* } ;;
    esac
    answer=$({ curl -q -s -g --max-time "$limit" -o - -w '\n%{http_code}' -H 'Connection: close' -A shipit "$@" \
        -- "$target" 2>/dev/null </dev/null 9>&-; printf ' %s' $?; } | tail -c 65536 | tr -d '\000')
    code=${answer##*
}
    answer=${answer%?"$code"} left=${code#* } code=${code% *}
    case $code in '' | 000) said="no answer from $target within ${limit}s"; return 1 ;; esac
    if [ "$left" = 28 ]; then said="$target answered $code, but not to its end within ${limit}s"; return 1; fi
    if [ "$code" != "$status" ]; then said="$target answered $code, not $status"; return 1; fi
    answered "$contains" "$release" "$target"
}

# answered CONTAINS RELEASE WHO: what the answer must say. Sets older (yes: well, but not from that release).
answered() {
    contains=$(decode "$1") older=
    case $answer in *"$contains"*) ;; *) said="$3 answered without the text asked for"; return 1 ;; esac
    [ "$2" = - ] && return 0
    case $answer in *"$2"*) return 0 ;; esac
    said="$3 did not answer as release $2: an older process may still be serving" older=yes
    return 1
}

# step measure KIND TARGET STATUS CONTAINS: probes every 50 ms from here on, each on its own, so that a slow
# answer does not hide the ones behind it. A line per probe: start, end (centiseconds), ok or failed.
step_measure() {
    measure_loop "$@" >>"$R/probes" 2>/dev/null 9>&- &
    measuring="$measuring $!"
}

measure_loop() {
    local going=1
    trap 'going=0' TERM
    while [ "$going" = 1 ]; do
        { now && began=$now && if probe "$1" "$2" "$3" "$4" - 10; then good=ok; else good=failed; fi
            now && printf '%s %s %s\n' "$began" "$now" "$good"; } &
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
