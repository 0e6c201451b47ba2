# Makes a host ready for one app, as root. Prints each change; run again any time. Inside the app's root, which
# the deploy user owns, it acts as that user: root never follows a path that somebody else can change.
# This part: the user and the layout. Above it is setup_former_user.sh; what root installs follows, setup_install.sh.
# args: root app user group path-unit service-unit boot-unit sudo-rule('' for none) copy-keys(yes|no)
#       env-helper journal-helper
# exits: 40 not root · 42 a file, symlink or owner is in the way (printed) · 43 another app has this name
set -eu
# shellcheck disable=SC2034 # setup_install.sh goes on from here and uses them
root=$1 app=$2 user=$3 group=$4 path_unit=$5 service_unit=$6 boot_unit=$7 sudo_rule=$8 copy_keys=$9
[ "$(id -u)" = 0 ] || exit 40

# One guard for one root: another environment of the same name would take it, and deploys of the first would not start.
guard=/etc/systemd/system/shipit-$app.path
if [ -f "$guard" ]; then
    guarded=$(sed -n 's,^PathExists=\(.*\)/\.shipit/request$,\1,p' "$guard")
    if [ -n "$guarded" ] && [ "$guarded" != "$root" ] && [ -d "$guarded/.shipit" ]; then
        echo "$app is in $guarded on this host already" >&2
        exit 43
    fi
fi
former_user

if ! id -u "$user" >/dev/null 2>&1; then
    useradd --create-home --shell /bin/sh -- "$user"
    echo "made user $user"
    keys=$(getent passwd "${SUDO_USER:-root}" | cut -d : -f 6)/.ssh/authorized_keys
    if [ "$copy_keys" = yes ] && [ -s "$keys" ]; then
        home=$(getent passwd "$user" | cut -d : -f 6)
        runuser -u "$user" -- sh -c 'umask 077; mkdir -p "$1/.ssh" && cat >"$1/.ssh/authorized_keys"' - "$home" <"$keys"
        sync -f "$home"
        echo "let the keys of ${SUDO_USER:-root} log in as $user"
    fi
fi

# By umask, not by a chmod after it: below a user's home the name could be a link to any file by then.
[ -d "$root" ] || { (umask 022 && mkdir -p -- "$root") && echo "made $root"; }
# chown changes the directory this stands in: a link on the way to it could lead to /etc.
cd -P -- "$root"
[ "$(pwd -P)" = "$root" ] || { echo "$root leads through a symlink to $(pwd -P): write that as root" >&2; exit 42; }
[ ! -d .shipit ] || take_over
[ "$(stat -c %U .)" = "$user" ] || { chown -- "$user:" . && echo "gave $root to $user"; }
runuser -u "$user" -- sh -eu -c '
    umask 022; cd "$1"
    for part in releases shared .shipit; do
        [ ! -L "$part" ] || { echo "$1/$part is a symlink" >&2; exit 42; }
        [ -d "$part" ] || { mkdir "$part" && echo "made $1/$part"; }
    done
    [ -O .shipit ] || { echo "$1/.shipit belongs to another user: shipit never takes it over" >&2; exit 42; }
    chmod 0700 .shipit && mkdir -p .shipit/releases .shipit/links .shipit/runs
    [ -e .shipit/ledger ] && exit 0
    # A tree that another tool made: its releases and its link are adopted, all or (after a crash) again.
    : >.shipit/ledger.new
    to=$(readlink current 2>/dev/null) || to=""
    case $to in
    "$1/releases/"*)
        ln -sfnT "${to#"$1/"}" .shipit/adopted && mv -fT .shipit/adopted current && echo "made current relative" ;;
    esac
    for old in releases/*; do
        id=${old#releases/}
        case $id in *[!0-9-]* | "") continue ;; esac
        [ -d "$old" ] || continue
        ln -sfnT "releases/$id" ".shipit/links/$id"
        mkdir -p ".shipit/releases/$id"
        echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) - - adopted $id" >>.shipit/ledger.new
        echo "adopted release $id"
    done
    sync .shipit/ledger.new && mv -T .shipit/ledger.new .shipit/ledger
' - "$root" </dev/null # stdin may begin with the password of the user who runs setup
if [ "$group" != "$user" ] && getent group -- "$group" >/dev/null &&
    cd -P -- "$root/shared" && [ "$(pwd -P)" = "$root/shared" ]; then
    chgrp -- "$group" . && chmod 2775 .
fi
cd /
