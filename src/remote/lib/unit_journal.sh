# How the journal is read with the privilege that setup found. The lines are those of the sudo rule, word for word.
# Never here: what its lines mean, but for the ones that shipit's own probes make.
# shellcheck shell=dash disable=SC2154

# unit_journal UNIT: its newest lines, as systemd's JSON. Fails when they cannot be read.
unit_journal() {
    set -- "--unit=$1" --lines=1000 --output=json --no-pager
    case $access in
    sudo) timeout --foreground -k 5 60 sudo -n -u root /usr/bin/journalctl "$@" ;;
    user) timeout --foreground -k 5 60 journalctl --user "$@" ;;
    *) timeout --foreground -k 5 60 journalctl "$@" ;;
    esac 2>/dev/null </dev/null
}

# without_probes PATHS: the lines of stdin, but not those of an access log that are about a health request to one of
# these paths. A line that names an error stays, whatever it is about.
without_probes() {
    awk -v asked="$1" '
        function plain(text) { gsub(/[^A-Za-z0-9\/._-]+/, " ", text); return " " text " " }
        BEGIN { count = split(asked, path, " ") }
        match($0, /"MESSAGE":"([^"\\]|\\.)*"/) {
            text = plain(substr($0, RSTART + 10, RLENGTH - 10))
            words = tolower(text)
            sub(/internal server error/, "", words)
            if (words ~ / get / &&
                words !~ /error|exception|panic|traceback|fatal|fail|refused|denied|cannot|could not|no such/)
                for (i = 1; i <= count; i++) if (index(text, plain(path[i]))) next
        }
        { print }'
}
