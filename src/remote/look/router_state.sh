# Prints the state of the routers in front of the app's instances, for observe.sh: `router KEY word value`. Never here:
# a change to anything.
# shellcheck shell=dash disable=SC2154

# router_state KEY: `link=LIVE`, `port=LIVE` or `haproxy=SOCKET=BACKEND`.
router_state() {
    local at=${1#*=} backend answer server
    case $1 in
    link=*)
        if [ -L "$at" ]; then
            answer=$(readlink -- "$at") || answer=unreadable
            echo "router $1 link $answer"
        elif [ -e "$at" ]; then
            answer=$(stat -c %F -- "$at") || answer=unreadable
            echo "router $1 odd $answer"
        else echo "router $1 absent"; fi
        answer=$(guarded "${at%/*}") || answer=unreadable
        echo "router $1 place $answer" ;;
    port=*)
        answer=$(guarded "${at%/*}" visible) || answer=unreadable
        echo "router $1 place $answer" ;;
    haproxy=*)
        backend=${at#*=} at=${at%=*}
        answer=$(file "$at")
        echo "router $1 socket $answer"
        command -v perl >/dev/null || { echo 'missing perl' && return; }
        if answer=$(haproxy "$at" "show servers state $backend; show stat -1 2 -1"); then
            printf '%s\n' "$answer" | servers_of "$backend" | sed "s|^|router $1 server |"
            printf '%s\n' "$answer" | columns_of "$backend" algo | sed -n "s|^BACKEND |router $1 algorithm |p"
        else
            server=$(printf '%s\n' "$answer" | head -n 1)
            echo "router $1 refused $server"
        fi ;;
    esac
}

# guarded DIR [visible]: `closed` if only root and this user can change what is in it and the way to it; `open OWNER
# GROUP MODE PLACE` names the outermost place where others can; also `absent PLACE`, `symlink PLACE`, `readonly PLACE`;
# with `visible`, `hidden OWNER GROUP MODE PLACE` if others cannot enter it.
guarded() {
    local at=$1 seen place open='' hidden=''
    [ -d "$1" ] || { echo "absent $1"; return; }
    place=$(cd -P -- "$1" && pwd -P) || return 1
    [ "$place" = "${1:-/}" ] || { echo "symlink $1"; return; }
    while :; do
        seen=$(stat -c '%U %G %a' -- "${at:-/}") || return 1
        place="open $seen ${at:-/}"
        case $seen in "root "* | "$user "*) ;; *) open=$place ;; esac
        case ${seen##* } in
        *[2367]) open=$place ;;
        # The deploy user's own group, by its name.
        *[2367]?)
            case $seen in *" root "* | *" $user "*) ! has_acl "${at:-/}" || open=$place ;; *) open=$place ;; esac ;;
        esac
        case ${2-}${seen##* } in
        visible*[02468]) hidden="hidden ${place#open }" ;;
        esac
        [ -n "$at" ] || break
        at=${at%/*}
    done
    if [ -n "$open$hidden" ]; then echo "${open:-$hidden}"
    elif [ -w "$1" ]; then echo closed
    else echo "readonly $1"; fi
}
