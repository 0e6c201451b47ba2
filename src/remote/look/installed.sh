# Says how the host has the app's units: what systemd made of them, and the files it read. Changes nothing.
# Besides the units that are asked for it tells of all that are named after the app in /etc.
# args: app units… -- users…
# prints: uid N · user NAME · systemd N · guard FILE · listed (all named after the app follow) · account USER yes|no
#         show UNIT KEY=VALUE · file UNIT own|dropin PATH text|link BASE64 · … absent|unreadable
app=$1
shift
units=''
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    units="$units $1"
    shift
done
[ $# -eq 0 ] || shift
for user in "$@"; do
    if id -u -- "$user" >/dev/null 2>&1; then echo "account $user yes"; else echo "account $user no"; fi
done
dir=/etc/systemd/system
echo "uid $(id -u)"
echo "user $(id -un)"
echo "systemd $(systemctl --version | sed -n '1s/[^0-9]*\([0-9]*\).*/\1/p')"

# told UNIT ROLE PATH: one file with its text. Own is the place where the app's units are installed; a link there is
# told as one, elsewhere it is followed, as systemd does.
told() {
    printf 'file %s %s %s ' "$1" "$2" "$3"
    if [ "$2" = own ] && [ -L "$3" ]; then
        echo "link $(readlink -- "$3" | base64 -w 0)"
    elif [ ! -e "$3" ] && [ ! -L "$3" ]; then
        echo absent
    elif [ -f "$3" ] && [ -r "$3" ] && text=$(base64 -w 0 <"$3"); then
        echo "text $text"
    else
        echo unreadable
    fi
}

cd "$dir" || { echo 'unreadable'; exit 0; }
for path in shipit-*.path; do
    case $path in *[!A-Za-z0-9.-]*) ;; *) [ ! -e "$path" ] || echo "guard $path" ;; esac
done
for path in "$app".* "$app"@* "$app"-*; do
    case $path in
    *[!A-Za-z0-9@._-]*) continue ;;
    *.service | *.socket | *.timer | *.path | *.target) if [ -e "$path" ] || [ -L "$path" ]; then units="$units $path"; fi ;;
    esac
done
echo listed

set -f
past=' '
for unit in $units; do
    case $past in *" $unit "*) continue ;; esac
    past="$past$unit "
    # systemd shows instances, not templates; any instance has the template's files.
    case $unit in *@.*) ask=${unit%@*}@x.${unit##*.} ;; *) ask=$unit ;; esac
    shown=$(systemctl show -p LoadState,ActiveState,UnitFileState,FragmentPath,DropInPaths,NeedDaemonReload -- "$ask") ||
        echo "unreadable $unit"
    printf '%s\n' "$shown" | sed "s/^/show $unit /"
    told "$unit" own "$dir/$unit"
    for from in $(printf '%s\n' "$shown" | sed -n 's/^DropInPaths=//p'); do
        told "$unit" dropin "$from"
    done
done
