# What setup.sh compares before it writes, for facts.sh: the texts of files, and whether a user has keys. Only reads.
# shellcheck shell=dash

# content FILE: the sha256 of its text, without empty lines at its end, as setup.sh compares it; or `symlink`.
content() {
    if [ -L "$1" ]; then echo symlink
    elif [ -f "$1" ] && text=$(cat -- "$1" 2>/dev/null); then printf '%s\n' "$text" | sha256sum
    else echo unreadable; fi
}

# keys USER: `yes` for authorized keys; that there are none is not known, because not everybody may look.
keys() {
    home=$(getent passwd "$1" 2>/dev/null </dev/null | cut -d : -f 6)
    if [ -n "$home" ] && { [ -s "$home/.ssh/authorized_keys" ] || [ -s "$home/.ssh/authorized_keys2" ]; }; then echo yes
    else echo unreadable; fi
}
