# Part of setup.sh: the app's root is created, and becomes the deploy user's only if nobody loses anything by that.
# Never here: what is in it.
# shellcheck shell=sh disable=SC2154
# exits: 42 a file, symlink or owner is in the way (printed)

# Creates the missing directories of $root one by one and enters each: a symlink that another user put on the way leads
# root nowhere.
enter_root() {
    local rest=${root#/} name at='' new=''
    cd /
    while [ -n "$rest" ]; do
        name=${rest%%/*} new=''
        case $rest in */*) rest=${rest#*/} ;; *) rest='' ;; esac
        [ -n "$name" ] || continue
        at=$at/$name
        if [ ! -e "./$name" ] && [ ! -L "./$name" ]; then (umask 022 && mkdir -- "./$name") && new=yes; fi
        cd -P -- "./$name" ||
            { echo "$at is a symlink whose target does not exist, or is not a directory" >&2; exit 42; }
        if [ "$(pwd -P)" != "$at" ]; then
            echo "$root contains a symlink: set \`root\` to $(pwd -P)${rest:+/$rest}" >&2
            exit 42
        fi
        # A default ACL of the directory above counts instead of the umask. This is the directory it stands in.
        [ -z "$new" ] || chmod 0755 .
    done
    [ -z "$new" ] || echo "created $root"
}

# Whether this directory looks like the root of an app, and no other user can put things into it.
is_tree() { [ -d releases ] && [ ! -L releases ] && [ -z "$(find . -maxdepth 0 -perm /002)" ]; }

# blocked USER [DIR]: prints the outermost directory on the way to DIR, or to the root, that this user cannot enter.
blocked() {
    local dir=${2:-$root} first=''
    while [ -n "$dir" ]; do
        runuser -u "$1" -- test -x "$dir" || first=$dir
        dir=${dir%/*}
    done
    [ -z "$first" ] || echo "$1 cannot enter $first ($(stat -c '%U:%G, mode %a' -- "$first"))"
}

# In the root: it is given to the deploy user if it is empty, the former deploy user's, or a deploy tree whose owner the
# question has named.
claim_root() {
    local owner
    owner=$(stat -c %U .)
    case $owner in "$user") return 0 ;; esac
    if [ -n "$(ls -A)" ] && { [ -z "$former" ] || [ "$owner" != "$former" ]; } &&
        ! { [ "$adopt" = "$owner" ] && is_tree; }; then
        {
            echo "$root belongs to $owner and is not empty: shipit takes over only an empty directory or a deploy tree"
            stat -c '%U:%G %a %n' -- .[!.]* * 2>/dev/null | head -n 12
        } >&2
        exit 42
    fi
    # A release is pruned by whoever owns it. chown -R follows no link, -h changes no target.
    [ "$adopt" != "$owner" ] || chown -Rh --from="$owner" -- "$user" releases
    chown -- "$user:" . && echo "made $user the owner of $root"
}
