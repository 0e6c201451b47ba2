# What a path is, and who can change the way to it. What cannot be read is `unreadable`, never absent. Only reads.
# shellcheck shell=dash

# file PATH: `there OWNER GROUP MODE KIND`, absent, or unreadable.
file() {
    if out=$(stat -L -c '%U %G %a %F' -- "$1" 2>/dev/null); then echo "there $out"; return; fi
    if [ -e "$1" ]; then echo unreadable; return; fi
    at=$(readlink -m -- "$1") || { echo unreadable; return; }
    # Absent only if the nearest existing directory may be searched.
    while [ "$at" != / ]; do
        at=${at%/*}
        at=${at:-/}
        [ -d "$at" ] || continue
        if [ -x "$at" ]; then echo absent; else echo unreadable; fi
        return
    done
    echo unreadable
}

nl='
' looked=''

# look_at KIND VALUE…: asks once for the owners and modes of all directories on the way to the values of kind `way`.
look_at() {
    looked=$nl$(while [ $# -ge 2 ]; do
        case $1/$2 in
        *"$nl"* | */*//*) ;;
        way//*)
            rest=${2#/} at=/
            while echo "${at%/}" && [ "$rest" != "${rest#*/}" ]; do at=$at${rest%%/*}/ rest=${rest#*/}; done ;;
        esac
        shift 2
    done | LC_ALL=C sort -u | sed 's,^$,/,' | tr '\n' '\0' | xargs -0 stat -c '%n//%U %G %a' -- 2>/dev/null)$nl || :
}

# owned DIRECTORY: sets seen to `OWNER GROUP MODE`. Fails when it cannot be read.
owned() {
    case $looked in
    *"$nl$1//"*) seen=${looked#*"$nl$1//"} seen=${seen%%"$nl"*} ;;
    *) seen=$(stat -c '%U %G %a' -- "$1" 2>/dev/null) ;;
    esac
}

# has_acl PATH: with an ACL, the group's bits of the mode are the most that any user or group in it may do. What cannot
# be read counts as one.
has_acl() { case $(LC_ALL=C ls -ld -- "$1" 2>/dev/null) in ??????????[!+]*) return 1 ;; esac; }

# way PATH: `closed` when only root can change the way to it, through every symlink; else `open OWNER MODE PLACE`.
way() {
    rest=$1 at='' links=0
    while :; do
        owned "${at:-/}" || { echo unreadable; return; }
        # The groups root and, in /usr/local and /var/local, staff are as good as root.
        case ${seen##* } in *[2367]) open=yes ;; *[2367]?) open=group ;; *) open=no ;; esac
        case "$open $seen $at/" in
        'group root root '* | 'group root staff '*/local/*) has_acl "${at:-/}" || open=no ;;
        esac
        case $seen in root\ *) ;; *) open=yes ;; esac
        [ "$open" = no ] || { echo "open ${seen%% *} ${seen##* } ${at:-/}"; return; }
        part=''
        while [ -n "$rest" ] && [ -z "$part" ]; do rest=${rest#/} part=${rest%%/*} && rest=${rest#"$part"}; done
        case $part in '') break ;; .) continue ;; ..) at=${at%/*}; continue ;; esac
        if [ -L "$at/$part" ]; then
            links=$((links + 1))
            [ "$links" -lt 40 ] && to=$(readlink -- "$at/$part") || { echo unreadable; return; }
            case $to in /*) at='' ;; esac
            rest=$to$rest
        elif [ -d "$at/$part" ]; then
            case $rest in *[!/]*) at=$at/$part ;; *) break ;; esac
        elif [ -e "$at/$part" ] || [ -x "${at:-/}" ]; then break
        else echo unreadable; return
        fi
    done
    echo closed
}
