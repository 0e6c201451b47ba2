# Makes a host ready for one app, as root. Prints each change; run again any time. Inside the app's root, which
# the deploy user owns, it acts as that user: root never follows a path that somebody else can change.
# This part: the user and the layout. Above it is setup_former_user.sh; what root installs follows, setup_install.sh.
# args: root app user group copy-keys(yes|no) adopt(who owns a deploy tree that is taken over; or empty)
# stdin: anything · a line `shipit-files` · lines `NAME TEXT`, the texts in base64, in the order in which they are read
# exits: 39 the files arrived incomplete · 40 not root · 42 a file, symlink or owner is in the way (printed)
#        43 another app has this name · 60 the lock of setup is held · 61 a command failed
# shellcheck disable=SC2034,SC2154 # the other parts use what this one sets, and set what it uses
set -eu
# Nobody may be left to read what this prints: it continues.
trap '' PIPE
echo() { printf '%s\n' "$*" || :; }
root=$1 app=$2 user=$3 group=$4 copy_keys=$5 adopt=$6 line=''
[ "$(id -u)" = 0 ] || exit 40
# 1 is sudo's own, when it starts nothing.
trap '[ $? != 1 ] || exit 61' EXIT
until [ "$line" = shipit-files ]; do IFS= read -r line || exit 39; done

# file NAME: the next text; empty for one that is not to be written.
file() {
    IFS= read -r line && [ "${line%% *}" = "$1" ] || exit 39
    printf %s "${line#"$1 "}" | base64 -d
}
path_unit=$(file path)
service_unit=$(file service)
boot_unit=$(file boot)
notify_path=$(file notify-path)
notify_service=$(file notify-service)
env_helper=$(file env)
journal_helper=$(file journal)
run_helper=$(file run)
notify_helper=$(file notify)
sudo_rule=$(file rule)
exec </dev/null
# Two at once would make the same user and the same directories. Only root can open the lock.
(umask 077 && : >>/run/shipit-setup.lock)
exec 8</run/shipit-setup.lock
flock -w 60 8 || exit 60

# One guard for one root: another environment of the same name would take it, and deploys of the first would not start.
guard=/etc/systemd/system/shipit-$app.path
if [ -f "$guard" ]; then
    guarded=$(sed -n 's,^PathExists=\(.*\)/\.shipit/request$,\1,p' "$guard")
    if [ -n "$guarded" ] && [ "$guarded" != "$root" ] && [ -d "$guarded/.shipit" ]; then
        echo "$app already exists on this host, in $guarded" >&2
        exit 43
    fi
fi
others_units
former_user

if ! id -u "$user" >/dev/null 2>&1; then
    own_group=--user-group
    ! getent group -- "$user" >/dev/null || own_group="--gid=$user"
    useradd --create-home "$own_group" --shell /bin/sh -- "$user"
    echo "created user $user"
fi
# Also a user without any way to log in: an earlier setup may have died before this.
keys=$(getent passwd "${SUDO_USER:-root}" | cut -d : -f 6)/.ssh/authorized_keys
home=$(getent passwd "$user" | cut -d : -f 6)
if [ "$copy_keys" = yes ] && [ "$user" != root ] && [ -s "$keys" ] && grep -q "^$user:[!*]" /etc/shadow &&
    ! runuser -u "$user" -- sh -c 'cd "$1/.ssh" && { [ -s authorized_keys ] || [ -s authorized_keys2 ]; }' - "$home" \
        2>/dev/null && [ -d "$home" ]; then
    runuser -u "$user" -- sh -euc 'umask 077; cd "$1"; mkdir -p .ssh; cd ./.ssh
        cat >shipit.new; sync shipit.new; mv -fT shipit.new authorized_keys' - "$home" <"$keys"
    sync -f "$home"
    echo "copied the authorized keys of ${SUDO_USER:-root} to $user"
fi

# chown changes the directory this stands in: a link on the way to it could lead to /etc.
enter_root
no_switch
[ ! -d .shipit ] || take_over
claim_root
closed=$(blocked "$user")
[ -z "$closed" ] || { echo "$closed" >&2; exit 42; }
runuser -u "$user" -- sh -eu -c '
    umask 022; cd "$1"
    report() { echo "$1" || :; }
    for part in releases shared .shipit; do
        [ ! -L "$part" ] || { echo "$1/$part is a symlink" >&2; exit 42; }
        [ -d "$part" ] || { mkdir "$part" && chmod 0755 "$part" && report "created $1/$part"; }
    done
    [ -O .shipit ] || { echo "$1/.shipit belongs to another user: shipit never takes it over" >&2; exit 42; }
    chmod 0700 .shipit && mkdir -p .shipit/releases .shipit/links .shipit/runs
    # A run that ends leaves an entry in here, if somebody is to be notified.
    if [ "$2" = yes ]; then mkdir -p .shipit/notify; else rm -rf .shipit/notify; fi
    [ -e .shipit/ledger ] && exit 0
    # A tree that another tool made: its releases and its link are adopted, all or (after a crash) again.
    : >.shipit/ledger.new
    to=$(readlink current 2>/dev/null) || to=""
    case $to in
    "$1/releases/"*)
        ln -sfnT "${to#"$1/"}" .shipit/adopted && mv -fT .shipit/adopted current && report "made current relative" ;;
    esac
    for old in releases/*; do
        id=${old#releases/}
        case $id in *[!0-9-]* | "") continue ;; esac
        [ -d "$old" ] || continue
        [ ! -e "releases/.in-$id" ] || [ "${to##*/}" = "$id" ] || continue
        ln -sfnT "releases/$id" ".shipit/links/$id"
        mkdir -p ".shipit/releases/$id"
        echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) - - adopted $id" >>.shipit/ledger.new
        report "adopted release $id"
    done
    sync .shipit/ledger.new && mv -T .shipit/ledger.new .shipit/ledger
' - "$root" "${notify_helper:+yes}"
if [ "$group" != "$user" ] && getent group -- "$group" >/dev/null &&
    cd -P -- "$root/shared" && [ "$(pwd -P)" = "$root/shared" ]; then
    chgrp -- "$group" . && chmod 2775 .
fi
case $(LC_ALL=C ls -ld "$root/releases") in
??????????+*) echo "$root/releases has an ACL, which may keep the app's user out: getfacl $root/releases" ;;
esac
cd /
