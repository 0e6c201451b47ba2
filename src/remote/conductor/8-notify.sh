# How a deploy or rollback ended, for the app's own notify unit. A run that ends leaves an entry in `notify`, which
# setup makes; PID 1 notices it and carries this out in another service: no switch waits for it, or fails with it.
# Never here: a change to anything of a switch.
# shellcheck shell=dash disable=SC2034,SC2154

# leave_notice: a hard link costs no inode. It comes before the request goes, so that a power cut loses neither.
leave_notice() {
    [ -d notify ] && [ "$command" != prune ] || return 0
    ln -f -- "$R/request" "notify/$run" 2>/dev/null && sync notify 2>/dev/null || :
}

# notify_all PROGRAM APP TEMPLATE: starts the app's unit for each entry, which goes when that was done or cannot be.
notify_all() {
    local entry run tries
    for entry in notify/*; do
        run=${entry#notify/} tries=1
        case $run in
        *[!0-9A-Za-z-]* | '') ;;
        *)
            until notify_of "$run" "$@"; do
                [ "$tries" -lt 3 ] || { echo "shipit: the notify unit was not started for run $run" >&2; break; }
                tries=$((tries + 1))
                sleep 2
            done ;;
        esac
        until rm -rf -- "$entry" && [ ! -e "$entry" ]; do sleep 5; done
    done
}

# notify_of RUN PROGRAM APP TEMPLATE
notify_of() {
    local facts of=$1
    shift
    # A run whose evidence is gone has nothing to report.
    [ -d "runs/$of" ] || return 0
    facts=$(facts_of "$of" "$2") && [ -n "$facts" ] || return 1
    [ "$(id -u)" = 0 ] || set -- sudo -n -u root "$@"
    printf '%s\n%s\nend\n' "$of" "$facts" | timeout --foreground -k 5 60 "$@"
}

# facts_of RUN APP: one line of JSON. Any byte may be in a cause or a name: what is no UTF-8 becomes `?`.
facts_of() {
    local next info=/dev/null at began
    next=$(sed -n 's/^next //p' "runs/$1/request") || return 1
    case $next in '' | *[!0-9A-Za-z-]*) return 1 ;; esac
    [ ! -f "releases/$next/info" ] || info=releases/$next/info
    at=$(stat -c %Y "runs/$1/events") && began=$(stat -c %Y "runs/$1/request") || return 1
    {
        sed -n '/^[a-z]* /s/^/request /p' "runs/$1/request"
        sed -n 's/^[0-9]* ended /ended - /p' "runs/$1/events" | tail -n 1
        sed 's/^/info /; s/=/ /' "$info"
    } | awk -v app="$2" -v at="$at" -v seconds=$((at - began)) '
        function decoded(s,    out, n) {
            while (match(s, /\\0[0-7][0-7][0-7]/)) {
                n = substr(s, RSTART + 2, 1) * 64 + substr(s, RSTART + 3, 1) * 8 + substr(s, RSTART + 4, 1)
                out = out substr(s, 1, RSTART - 1) sprintf("%c", n)
                s = substr(s, RSTART + 5)
            }
            return s == "\\c" ? "" : out s
        }
        function json(s,    i, k, c, o, p, extra, out) {
            for (i = 1; i <= length(s); i++) {
                c = substr(s, i, 1)
                o = code[c]
                if (o < 32 || o == 127) out = out sprintf("\\u%04x", o)
                else if (c == "\"" || c == "\\") out = out "\\" c
                else if (o < 128) out = out c
                else {
                    extra = o < 194 ? 0 : o < 224 ? 1 : o < 240 ? 2 : o < 245 ? 3 : 0
                    p = code[substr(s, i + 1, 1)]
                    if (o == 224 && p < 160 || o == 237 && p > 159) extra = 0
                    if (o == 240 && p < 144 || o == 244 && p > 143) extra = 0
                    for (k = 1; k <= extra; k++) { p = code[substr(s, i + k, 1)]; if (p < 128 || p > 191) extra = 0 }
                    out = out (extra ? substr(s, i, extra + 1) : "?")
                    i += extra
                }
            }
            return "\"" out "\""
        }
        function rest(n,    s) { s = $0; while (n--) sub(/^[^ ]* /, "", s); return s }
        function add(name, value) { line = line sep json(name) ":" value; sep = "," }
        function or_null(value) { return value == "" || value == "-" || value == "unreadable" ? "null" : json(value) }
        BEGIN { for (i = 1; i < 256; i++) code[sprintf("%c", i)] = i }
        $1 == "request" && !($2 in request) { request[$2] = rest(2) }
        $1 == "info" && !($2 in info) { info[$2] = decoded(rest(2)) }
        $1 == "ended" { outcome = $3; live = $4; measured = $5; cause = rest(5) }
        END {
            if (outcome == "") exit 1
            if (outcome == "deployed" && request["command"] == "rollback") outcome = "rolled_back"
            add("v", 1); add("event", json("ended")); add("app", json(app)); add("run", json(request["run"]))
            add("command", json(request["command"])); add("outcome", json(outcome))
            add("release", json(request["next"])); add("previous", or_null(request["previous"]))
            add("live", or_null(live)); add("by", json(decoded(request["by"]))); add("at", at); add("seconds", seconds)
            add("revision", or_null(info["revision"])); add("branch", or_null(info["branch"]))
            add("author", or_null(info["author"])); add("subject", or_null(info["subject"]))
            split(measured, part, ",")
            for (i in part) if (split(part[i], pair, "=") == 2 && pair[2] ~ /^[0-9]+$/) number[pair[1]] = pair[2]
            add("probes", "probes" in number ? number["probes"] : "null")
            add("failed", "failed" in number ? number["failed"] : "null")
            add("gap_ms", "gap" in number ? number["gap"] : "null")
            add("cause", or_null(cause))
            print "{" line "}"
        }'
}
