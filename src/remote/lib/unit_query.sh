# Questions to systemd that several scripts ask. Only reads.
# shellcheck shell=dash

# The version of systemd, as a number; empty where there is none. Fails when it cannot be read.
systemd_version() {
    local shown
    command -v systemctl >/dev/null || return 0
    shown=$(systemctl --version) || return 1
    shown=${shown%%
*}
    shown=${shown#"${shown%%[0-9]*}"}
    printf '%s\n' "${shown%%[!0-9]*}"
}

# loadable UNIT: the name to ask systemd about. It does not show templates; an instance that is not in use has the
# template's files, and is unloaded at once.
loadable() {
    case $1 in
    *@.*) echo "${1%%@*}@shipit.${1##*.}" ;;
    *) echo "$1" ;;
    esac
}
