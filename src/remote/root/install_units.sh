# Puts the app's units in place, as root: all of them or, when systemd refuses one, none. They come on stdin as data:
# root opens no file that somebody else could have written, and goes through no link.
# args: root, then pairs: user NAME, enable|reset-failed|start UNIT, rule APP (prints `rule LINE` for the sudo rule)
# stdin: anything · a line `shipit-units` · lines `NAME BEFORE TEXT`, both in base64, `-` for no file · a line `end`
# exits: 38 a unit file was changed in the meantime · 39 the files arrived incomplete · 40 not root
#        42 a file, symlink or owner is in the way (printed) · 44 systemd-analyze refuses a unit
#        45 systemd does not load a unit: the old files are restored
#        46 the files are installed, but a later step failed · 47 a command failed: the old files are restored
#        48 a switch is in progress (printed), or its lock is held
set -eu
root=$1 dir=/etc/systemd/system names='' placed=no line='' name='' enabled='' log=''
# Nobody may be left to read what this prints: it continues.
trap '' PIPE
[ "$(id -u)" = 0 ] || exit 40
umask 022 && shift
scratch=$(mktemp -d /run/shipit-units.XXXXXX)

report() { echo "$1" || :; } 2>/dev/null

# put FILE NAME: its bytes are flushed before it has the name.
put() {
    cp -p --remove-destination -- "$1" "$dir/.$2.shipit" && sync "$dir/.$2.shipit" &&
        mv -fT -- "$dir/.$2.shipit" "$dir/$2"
}

leave() {
    code=$?
    if [ "$placed" = yes ]; then
        for name in $enabled; do systemctl --quiet disable -- "$name" 2>/dev/null || :; done
        for name in $names; do
            rm -f -- "$dir/.$name.shipit"
            if [ -e "$scratch/old/$name" ]; then put "$scratch/old/$name" "$name" || :; else rm -f -- "$dir/$name"; fi
        done
        { sync -f "$dir"; systemctl daemon-reload; } || :
        echo 'the old files are restored' >&2 || :
    fi
    rm -rf -- "$scratch"
    [ "$code" != 1 ] || exit 47
}
trap leave EXIT
trap 'exit 45' HUP INT TERM
mkdir "$scratch/new" "$scratch/old"
until [ "$line" = shipit-units ]; do IFS= read -r line || exit 39; done
# The lock of setup.sh, before anything is compared: two at once, also of two apps, could make the same user, and the
# one that fails would undo what the other has put in place.
(umask 077 && : >>/run/shipit-setup.lock)
exec 8</run/shipit-setup.lock
flock -w 60 8 || { echo 'another setup or installation is in progress' >&2 && exit 47; }
while read -r name before text && [ "$name" != end ]; do
    case $name in
    *[!A-Za-z0-9@._-]* | [!A-Za-z0-9]* | shipit-*) echo "$name is not a valid name for an app's unit" >&2; exit 42 ;;
    esac
    file=$dir/$name now=-
    if [ -L "$file" ] || { [ -e "$file" ] && [ ! -f "$file" ]; }; then echo "$file is not a plain file" >&2; exit 42; fi
    [ ! -e "$file" ] || now=$(base64 -w 0 <"$file")
    [ "$now" = "$before" ] || { echo "$file has changed since it was compared" >&2; exit 38; }
    printf %s "$text" | base64 -d >"$scratch/new/$name"
    [ "$now" = - ] || cp -p -- "$file" "$scratch/old/$name"
    names="$names $name"
    case $name in *@.*) echo "${name%.*}" ;; *) echo "$name" ;; esac >>"$scratch/names"
done
[ "$name" = end ] || exit 39
if [ -n "$names" ]; then
    case $(systemd-analyze --help) in *--recursive-errors*) one=--recursive-errors=no ;; *) one='' ;; esac
    if ! systemd-analyze verify --man=no $one "$scratch"/new/* >"$scratch/output" 2>&1; then
        # A program below the app's root may come with the first release; findings about other units are not ours.
        grep -F -f "$scratch/names" "$scratch/output" | grep -vF ": Command $root/" >"$scratch/bad" || :
        grep -qF ": Command $root/" "$scratch/output" || cp "$scratch/output" "$scratch/bad"
        [ ! -s "$scratch/bad" ] || { sed "s|$scratch/new/||" "$scratch/bad" >&2; exit 44; }
    fi
fi
# The request is read as the user who owns it.
if [ -d "$root/.shipit/runs" ]; then lock_requests "$root/.shipit/runs" || exit 48; fi
[ ! -f "$root/.shipit/request" ] || { runuser -u "$(stat -c %U "$root/.shipit")" -- timeout 5 \
    sed 's/^/request /' "$root/.shipit/request" || :; exit 48; }
placed=yes
for name in $names; do put "$scratch/new/$name" "$name"; done
systemctl daemon-reload || exit 45
for name in $names; do
    state=$(systemctl show --property=LoadState --value -- "$(loadable "$name")")
    [ "$state" = loaded ] || { echo "systemd reports $name as $state" >&2; exit 45; }
done
# A unit without its user, or that does not start at boot, is not installed: these are undone with the files.
while [ $# -gt 1 ]; do
    case $1 in
    user) useradd --system --user-group --no-create-home --home-dir / --shell /usr/sbin/nologin -- "$2" ;;
    enable) enabled="$enabled $2" && systemctl --quiet enable -- "$2" ;;
    *) break ;;
    esac
    log="$log$1: $2
"
    shift 2
done
sync -f "$dir" # the links of `enable`, a user's line
placed=no && exec 8<&- 9<&-
for name in $names; do report "wrote $dir/$name"; done
report "${log}systemd has reloaded its units"
while [ $# -gt 1 ]; do
    if [ "$1" = rule ]; then
        [ ! -f "/etc/sudoers.d/shipit-$2" ] || sed 's/^/rule /' "/etc/sudoers.d/shipit-$2" || :
        break
    fi
    systemctl --quiet "$1" -- "$2" || {
        report "systemctl $1 $2 failed"
        journalctl --sync
        journalctl -q -n 3 -o cat -u "$2"
        exit 46
    } >&2
    report "$1: $2"
    shift 2
done
