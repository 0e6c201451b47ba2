# Prints the state of the routers in front of the app's instances, for observe.sh: `router KEY word value`. Never here:
# a change to anything.
# shellcheck shell=dash disable=SC2154

# router_state KEY: `link=LIVE`, `port=LIVE`, `links=LIVE` or `ports=LIVE` (a part each), or `haproxy=SOCKET=BACKEND`.
router_state() {
    local at=${1#*=} backend answer server part
    case $1 in
    link=* | links=*)
        case $1 in
        link=*) leads "$1" link "$at" ;;
        *)
            for part in 1 2 4 8 16 32 37; do leads "$1" "part $part" "${at%.sock}.$part.sock"; done
            split_state "$1" ;;
        esac
        answer=$(guarded "${at%/*}") || answer=unreadable
        echo "router $1 place $answer" ;;
    port=* | ports=*)
        answer=$(guarded "${at%/*}" visible) || answer=unreadable
        echo "router $1 place $answer"
        case $1 in ports=*) split_state "$1" ;; esac ;;
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

# leads KEY WORDS PATH: where a symlink leads.
leads() {
    local answer
    if [ -L "$3" ]; then
        answer=$(readlink -- "$3") || answer=unreadable
        echo "router $1 $2 $answer"
    elif [ -e "$3" ]; then
        answer=$(stat -c %F -- "$3") || answer=unreadable
        echo "router $1 odd $answer"
    else echo "router $1 absent"; fi
}

# split_state KEY: what nginx's configuration has of the parts of `at`: `splits WEIGHT PARAMETERS` for each server, or
# `splits PORT`. Also `unread`, if some of it could not be read.
split_state() {
    local stem=${at%.sock} lines status=0
    [ -f /etc/nginx/nginx.conf ] || { echo "router $1 unread"; return; }
    lines=$(grep -RhsF --exclude-dir=sites-available -e "$stem." /etc/nginx) || status=$?
    # Nor is what it includes from elsewhere.
    if [ "$status" -ge 2 ] ||
        grep -RhsE '^[[:space:]]*include[[:space:]]+"?/' /etc/nginx | grep -qvE '[[:space:]]"?/etc/nginx/'
    then echo "router $1 unread"; fi
    printf '%s\n' "$lines" | sed 's/#.*//' | tr ';\t' '\n ' | case $1 in
    links=*) sed -n "s|^.*server  *unix:$stem\.\([0-9]*\)\.sock|router $1 splits \1|p" ;;
    *) sed -n "s|^.*-f  *$stem\.[\$][A-Za-z0-9_{}]*\.\([0-9]*\)[ )].*|router $1 splits \1|p" ;;
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
