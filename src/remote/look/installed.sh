# Prints how the host has the app's units: what systemd made of them, and the files it read. Changes nothing.
# Besides the units of its arguments, all that are named after the app in /etc.
# args: app units… -- users…
# prints: uid N · user NAME · systemd N · guard FILE · account USER yes|no
#         named FILE (every unit file in /etc, and php-fpm and web servers of packages)
#         listed (all named after the app follow)
#         show UNIT KEY=VALUE · file UNIT own|dropin PATH text|link BASE64 · … absent|unreadable · whole at the end
set -eu
app=$1
shift
units=''
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    units="$units $1"
    shift
done
[ $# -eq 0 ] || shift
for user in "$@"; do
    code=0
    getent passwd "$user" >/dev/null 2>&1 </dev/null || code=$?
    # 2: there is none. Anything else was no answer.
    case $code in 0) echo "account $user yes" ;; 2) echo "account $user no" ;; *) exit 1 ;; esac
done
dir=/etc/systemd/system
uid=$(id -u)
user=$(id -un)
systemd=$(systemd_version)
printf 'uid %s\nuser %s\nsystemd %s\n' "$uid" "$user" "$systemd"

# print_file UNIT ROLE PATH: one file with its text. Own is the place where the app's units are installed; a link there
# is printed as one, elsewhere it is followed, as systemd does.
print_file() {
    printf 'file %s %s %s ' "$1" "$2" "$3"
    if [ "$2" = own ] && [ -L "$3" ]; then
        if text=$(readlink -- "$3") && text=$(printf '%s\n' "$text" | base64 -w 0); then echo "link $text"
        else echo unreadable; fi
    elif [ ! -e "$3" ] && [ ! -L "$3" ] && [ -x "${3%/*}" ]; then
        echo absent
    elif [ -f "$3" ] && [ -r "$3" ] && text=$(base64 -w 0 <"$3"); then
        echo "text $text"
    else
        echo unreadable
    fi
}

cd "$dir" || { echo 'unreadable' && echo whole && exit 0; }
for path in shipit-*.path; do
    case $path in *[!A-Za-z0-9.-]*) ;; *) [ ! -e "$path" ] || echo "guard $path" ;; esac
done
for path in *.service *.socket *.timer *.path *.target; do
    case $path in *[!A-Za-z0-9@._-]*) ;; *) [ ! -f "$path" ] || echo "named $path" ;; esac
done
for path in /lib/systemd/system/php*-fpm.service /lib/systemd/system/nginx.service \
    /lib/systemd/system/apache2.service /lib/systemd/system/caddy.service; do
    case ${path##*/} in *[!A-Za-z0-9@._-]*) ;; *) [ ! -f "$path" ] || echo "named ${path##*/}" ;; esac
done
for path in "$app".* "$app"@* "$app"-*; do
    case $path in
    *[!A-Za-z0-9@._-]*) continue ;;
    *.service | *.socket | *.timer | *.path | *.target)
        if [ -e "$path" ] || [ -L "$path" ]; then units="$units $path"; fi ;;
    esac
done
echo listed

set -f
done=' '
for unit in $units; do
    case $done in *" $unit "*) continue ;; esac
    done="$done$unit "
    shown=$(systemctl show -p LoadState,ActiveState,UnitFileState,FragmentPath,DropInPaths,NeedDaemonReload \
        -- "$(loadable "$unit")")
    printf '%s\n' "$shown" | sed "s/^/show $unit /"
    print_file "$unit" own "$dir/$unit"
    drop_ins=$(printf '%s\n' "$shown" | sed -n 's/^DropInPaths=//p')
    for from in $drop_ins; do print_file "$unit" dropin "$from"; done
done
echo whole
