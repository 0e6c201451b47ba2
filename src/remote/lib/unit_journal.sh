# How the journal is read with the privilege that setup found. The lines are those of the sudo rule, word for word.
# shellcheck shell=dash disable=SC2154

# unit_journal UNIT: its newest lines, as systemd's JSON. Fails when they cannot be read.
unit_journal() {
    case $access in
    sudo) sudo -n /usr/bin/journalctl "--unit=$1" --lines=1000 --output=json --no-pager ;;
    user) journalctl --user "--unit=$1" --lines=1000 --output=json --no-pager ;;
    *) journalctl "--unit=$1" --lines=1000 --output=json --no-pager ;;
    esac 2>/dev/null </dev/null
}
