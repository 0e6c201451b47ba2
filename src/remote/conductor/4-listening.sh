# What a health check asks, and who listens there, read before the way back changes it. Never here: a request.
# shellcheck shell=dash disable=SC2034,SC2154

# The path of a check that journals have in their access logs.
asked_path() {
    local path
    case $kind in
    http) path=${target#*://} ;;
    unix) path=/${target#* /} ;;
    *) return 0 ;;
    esac
    case $path in */*) echo "/${path#*/}" ;; *) echo / ;; esac
}

# who_listens UNIT: puts into detail who listens on the address that the check asks, where that explains the failure.
# Only addresses of this host are looked for, and nothing is said where `ss` cannot be read.
who_listens() {
    local host port found=''
    case $kind in
    tcp) host=${target%:*} port=${target##*:} ;;
    http)
        host=${target#*://} port=''
        host=${host%%[/?]*}
        case $host in '['*']') ;; *:*) port=${host##*:} host=${host%:*} ;; esac
        case $target in https:*) port=${port:-443} ;; esac
        host=${host#'['} host=${host%']'} port=${port:-80} ;;
    *) return 0 ;;
    esac
    case $host in localhost | 127.* | ::1) ;; *) return 0 ;; esac
    found=$(ss -Hltne 2>/dev/null </dev/null) || return 0
    found=$(printf '%s\n' "$found" | listeners "$1" "$host" "$port" "$(sockets_of "$1")")
    case $found in
    '') ;;
    nobody*) detail=$found ;;
    *) detail="$detail; $found" ;;
    esac
}

# The addresses that systemd holds for a unit.
sockets_of() {
    local triggers
    triggers=$(systemctl "--$manager" show -p TriggeredBy --value -- "$1" 2>/dev/null </dev/null) || return 0
    for triggers in $triggers; do
        case $triggers in *.socket) ;; *) continue ;; esac
        systemctl "--$manager" show -p Listen --value -- "$triggers" 2>/dev/null </dev/null |
            sed -n "s/^\([^ ]*\) (Stream)\$/$triggers listens on \1/p"
    done | head -n 3 | tr '\n' ';'
}

# listeners UNIT HOST PORT SOCKETS: of the lines of ss, who listens there if not that unit, and where the unit listens.
listeners() {
    awk -v unit="$1" -v host="$2" -v port="$3" -v sockets="$4" '
        { at = h = $4; p = at; sub(/.*:/, "", p); sub(/:[^:]*$/, "", h); gsub(/[][]/, "", h); sub(/%.*/, "", h)
          owner = ""
          if (match($0, /cgroup:[^ ]+/)) {
              known = 1
              n = split(substr($0, RSTART + 7, RLENGTH - 7), part, "/")
              while (n > 0 && part[n] !~ /\.(service|scope)$/) n--
              owner = part[n]
          }
          if (owner == unit && count++ < 3) own = own (own == "" ? "" : ", ") at
          here = h == "127.0.0.1" || h == "::1" || h == "0.0.0.0" || h == "::"
          wild = h == "*" || h == (index(host, ":") ? "::" : "0.0.0.0")
          if (p == port && (h == host || wild || host == "localhost" && here)) { there = at; by = owner } }
        END {
            if (own != "") own = "; " unit " listens on " own
            else if (sockets != "") { sub(/;$/, "", sockets); gsub(/;/, "; ", sockets); own = "; " sockets }
            else if (known) own = "; " unit " listens on no TCP port"
            if (index(host, ":")) host = "[" host "]"
            if (there == "") print "nobody listens on " host ":" port own
            else if (by != "" && by != unit && by != "init.scope") print by " listens on " there own
        }'
}
