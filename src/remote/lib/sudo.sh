# What sudo lets this user do, tried: `sudo -l` alone says yes to a line that wants a password, and no where only the
# question needs a terminal. Changes nothing.
# shellcheck shell=dash

# print_sudo APP: runs the one harmless line of the app's rule, which prints the rule, and lists at the same time which
# entries of sudoers are in force, in their order. Two sudo at once: one may wait half a minute for a dead name server.
print_sudo() {
    local began ended output code=0
    sudo -n -l -l 2>/dev/null </dev/null | LC_ALL=C sed -n -e 's/^Sudoers entry:/sudo_entry/p' \
        -e 's/^LDAP Role:/sudo_entry LDAP role/p' -e 's/^SSSD Role:/sudo_entry SSSD role/p' \
        -e 's/^ *RunAsUsers: /sudo_as /p' -e 's/^ *Options: /sudo_options /p' -e 's/^\t/sudo_command /p' &
    read -r began _ </proc/uptime
    output=$(sudo -n -u root /usr/bin/cat "/etc/sudoers.d/shipit-$1" 2>&1 </dev/null) || code=$?
    read -r ended _ </proc/uptime
    wait "$!" || return 1
    printf 'sudo_tried %s %s\n' "$code" "$((${ended%.*} - ${began%.*}))"
    prefixed sudo_output "$output"
}

# sudo_refused OUTPUT: whether its last line is sudo's own, so that the program was never started.
sudo_refused() {
    case $(printf '%s\n' "$1" | tail -n 1) in
    sudo:* | sudo-rs:* | 'Sorry, '* | "I'm sorry "*) ;;
    *) return 1 ;;
    esac
}

# run_helper PROGRAM ARGS…: a root-owned helper through sudo, with this stdin. Sets refused to yes when it is missing or
# sudo did not start it.
# shellcheck disable=SC2034
run_helper() {
    local errors='' code=0
    refused=yes
    [ -x "$1" ] || return 1
    { errors=$(sudo -n -u root "$@" 2>&1 >&3 3>&-) || code=$?; } 3>&1
    if [ $code != 0 ] && sudo_refused "$errors"; then return 1; fi
    refused=no
    [ -z "$errors" ] || printf '%s\n' "$errors" >&2
    return $code
}
