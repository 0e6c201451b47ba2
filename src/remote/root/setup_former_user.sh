# The first part of setup.sh: an app that gets another deploy user. The former one loses its sudo rule first, then the
# files that it owns below the app's root, and `.shipit` last of all: the next attempt finishes one that dies.
# shellcheck shell=sh disable=SC2154
# exits: 42 a file, symlink or owner is in the way (printed)
#        48 a switch is in progress (printed), or its lock is held

# Sets former (empty: no other user deployed this app) by root's own record of it, the guard unit. Refuses a root that
# belongs to any other user, before anything is changed.
former_user() {
    local guard="/etc/systemd/system/shipit-$app.service" holder
    former=''
    if [ -O "$guard" ] && grep -qxF "ExecStart=/bin/sh $root/.shipit/conductor $root" "$guard"; then
        former=$(sed -n 's/^User=//p' "$guard")
        [ "$former" != "$user" ] || former=''
    fi
    [ -d "$root/.shipit" ] || return 0
    holder=$(stat -c %U -- "$root/.shipit")
    # An account that was removed has left its number behind.
    [ "$holder" != UNKNOWN ] || [ -z "$former" ] || id -u -- "$former" >/dev/null 2>&1 || return 0
    case $holder in "$user" | "${former:-$user}") return 0 ;; esac
    echo "$root/.shipit belongs to $holder, another user: shipit never takes it over" >&2
    exit 42
}

# A unit that the sudo rule of another app names is that app's. Two may share what a package brings, and what they
# shared when this app was set up before. Root reads it here: the login that looked before may not have been root.
others_units() {
    local rule other unit words file own="/etc/sudoers.d/shipit-$app"
    for rule in /etc/sudoers.d/shipit-*; do
        [ -e "$rule" ] && [ "$rule" != "$own" ] || continue
        words=$(tr -s ' ,=\\' '\n' <"$rule") || { echo "$rule cannot be read" >&2; exit 42; }
        other=${rule#/etc/sudoers.d/shipit-}
        for unit in $(printf '%s\n' "$sudo_rule" | tr -s ' ,=\\' '\n' | grep -E '\.(service|socket)$' | sort -u); do
            printf '%s\n' "$words" | grep -qxF -e "$unit" || continue
            [ ! -e "$own" ] || ! tr -s ' ,=\\' '\n' <"$own" | grep -qxF -e "$unit" || continue
            file=$(systemctl show -p FragmentPath -- "$unit") || { echo "systemd does not answer" >&2; exit 42; }
            case ${file#FragmentPath=} in /lib/* | /usr/lib/*) continue ;; esac
            echo "$unit is a unit of the app $other: $rule names it" >&2
            exit 42
        done
    done
}

# In the app's root. Refuses while a switch is in progress: its revert needs the sudo lines that it began with. No other
# can be requested until the files are in place: descriptor 9 stays open. A request that no guard would carry out does
# not count: setup may be what starts the guard.
no_switch() {
    [ -d .shipit/runs ] || return 0
    lock_requests .shipit/runs || exit 48
    [ -f .shipit/request ] && systemctl --quiet is-active "shipit-$app.path" "shipit-$app.service" || return 0
    # The request is read as the user who owns it.
    runuser -u "$(stat -c %U .shipit)" -- timeout 5 sed 's/^/request /' .shipit/request || :
    exit 48
}

# Only in the app's root, entered and compared already.
take_over() {
    local was group_was part kind
    was=$(stat -c %u .shipit) group_was=$(stat -c %g .shipit)
    [ "$was" != "$(id -u -- "$user")" ] || return 0
    systemctl stop "shipit-$app.path"
    kind=$(request_kind .shipit/request)
    case $(systemctl is-active "shipit-$app.service")/$kind in
    active/* | *activating/* | */regular*)
        runuser -u "$former" -- timeout 5 sed 's/^/request /' .shipit/request || :
        systemctl start "shipit-$app.path"
        exit 48
        ;;
    esac
    if [ -e "/etc/sudoers.d/shipit-$app" ]; then
        rm -f -- "/etc/sudoers.d/shipit-$app"
        echo "removed /etc/sudoers.d/shipit-$app: $former can no longer run commands as root for $app"
    fi
    # chown -R follows no link, -h changes no target, --from leaves the files of others: the app's.
    for part in .[!.]* *; do
        [ -e "$part" ] || [ -L "$part" ] || continue
        case $part/$group in
        .shipit/*) continue ;;
        shared/*)
            # The files in it stay with an app that runs as that user, and root's with root.
            if [ "$was" = 0 ] || [ "$group" = "$former" ]; then chown -h -- "$user" shared && continue; fi ;;
        esac
        chown -Rh --from="$was:$group_was" -- "$user:" "./$part"
        chown -Rh --from="$was" -- "$user" "./$part"
    done
    chown -Rh --from="$was" -- "$user:" .shipit
    echo "made $user the owner of the files of $former in $root"
    [ "$was" = 0 ] || echo "$former can still log in: remove its keys yourself"
}
