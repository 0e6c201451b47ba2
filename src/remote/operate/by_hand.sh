# The conductor's functions outside of a switch, for one unit at a time: what they expect to be set, and the calls of
# systemctl, whose failure ends the script.
# exits: 35 sudo does not allow the command
# shellcheck shell=dash disable=SC2034,SC2154
manager=system phase=service attempt_revert=1 before='' invocations='' asked='' cause='' hopeless='' where='' detail=''
output_file=/dev/null answer='' since=$(date +%s)
event() { :; }

ctl() {
    local code=0
    if [ "$access" != sudo ]; then answer=$(systemctl "$@" 2>&1 </dev/null) && return 0; return 1; fi
    answer=$(sudo -n -u root /usr/bin/systemctl "$@" 2>&1 </dev/null) || code=$?
    if [ $code != 0 ] && sudo_refused "$answer"; then
        fail 35 "$(id -un) may not run \`sudo /usr/bin/systemctl $*\`: $(printf '%s\n' "$answer" | failed_reason)"
    fi
    return $code
}

# Not echo: dash's takes a backslash of an answer for an escape, and `\c` for the end of the line.
print_cause() { printf 'cause %s\n' "$1"; }

# fail STATUS CAUSE
fail() {
    print_cause "$2"
    exit "$1"
}
