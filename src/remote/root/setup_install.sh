# The other half of setup.sh, in the same shell: root-owned files are installed, and all is flushed. Each file is
# replaced whole, and only when it differs. Nothing here touches the app's root.
# exits: 41 visudo refuses the sudo rule
# shellcheck shell=sh disable=SC2154
changed=no
umask 022

# put FILE TEXT MODE: replaced whole, and only when it differs, in its text, its owner or its mode. Who holds the old
# file open cannot write to the new one.
put() {
    is=''
    if [ -L "$1" ]; then is='a symlink'; elif [ -e "$1" ]; then is=$(stat -c '%U:%G 0%a' -- "$1"); fi
    if [ "$is" = "root:root $3" ] && [ "$(cat -- "$1")" = "$2" ]; then return 0; fi
    rm -f -- "$1.new"
    printf '%s\n' "$2" >"$1.new"
    chown root:root "$1.new"
    chmod "$3" "$1.new"
    # A name without its bytes, after a power cut, would be an empty unit: masked.
    sync "$1.new"
    mv -fT -- "$1.new" "$1"
    case $is in
    '' | "root:root $3") echo "wrote $1" ;;
    *) echo "wrote $1, which was $is: it is now root:root $3" ;;
    esac
    changed=yes
}
# helper NAME TEXT: a program that root lends to the deploy user; removed where it is not to be.
helper() {
    local at="/usr/local/lib/shipit/$app/$1"
    if [ -n "$2" ]; then put "$at" "$2" 0755
    elif [ -e "$at" ] || [ -L "$at" ]; then rm -rf -- "$at" && echo "removed $at" && changed=yes; fi
}
if [ -n "$env_helper$notify_helper" ]; then
    # Before the rule that names them: root's own, in root's own directories.
    for dir in /usr/local/lib/shipit "/usr/local/lib/shipit/$app"; do
        is=''
        if [ -d "$dir" ] && [ ! -L "$dir" ]; then is=$(stat -c '%U:%G 0%a' "$dir"); else mkdir -- "$dir"; fi
        # Five digits: with four GNU chmod leaves a directory's set-id bits.
        chown root:root "$dir" && chmod 00755 "$dir"
        case $is in '' | 'root:root 0755') ;; *) echo "$dir was $is: it is now root:root 0755" && changed=yes ;; esac
    done
    helper env "$env_helper"
    helper journal "$journal_helper"
    helper run "$run_helper"
    helper notify "$notify_helper"
fi
if [ -n "$sudo_rule" ]; then
    printf '%s\n' "$sudo_rule" >/etc/shipit-check.new
    visudo -qcf /etc/shipit-check.new >&2 || { rm -f /etc/shipit-check.new; exit 41; }
    rm -f /etc/shipit-check.new
    put "/etc/sudoers.d/shipit-$app" "$sudo_rule" 0440
else
    helpers=/usr/local/lib/shipit/$app
    [ -z "$notify_helper" ] || helpers=''
    for gone in "/etc/sudoers.d/shipit-$app" "$helpers"; do
        [ -e "$gone" ] || [ -L "$gone" ] || continue
        rm -rf -- "$gone"
        echo "removed $gone: $user is root, and needs no permission"
        changed=yes
    done
fi
put "/etc/systemd/system/shipit-$app.path" "$path_unit" 0644
put "/etc/systemd/system/shipit-$app.service" "$service_unit" 0644
put "/etc/systemd/system/shipit-$app-boot.service" "$boot_unit" 0644
notify=/etc/systemd/system/shipit-$app.notify
if [ -n "$notify_helper" ]; then
    put "$notify.path" "$notify_path" 0644
    put "$notify.service" "$notify_service" 0644
elif [ -e "$notify.path" ] || [ -e "$notify.service" ]; then
    systemctl disable --quiet --now "shipit-$app.notify.path" || :
    rm -f -- "$notify.path" "$notify.service"
    echo "removed $notify.path and $notify.service"
    changed=yes
fi
# Always: an earlier setup may have died before this. A path unit watches its old path until it is restarted.
set -- ${notify_helper:+"shipit-$app.notify.path"}
systemctl enable --quiet --no-reload "shipit-$app-boot.service" "shipit-$app.path" "$@"
systemctl daemon-reload
systemctl restart "shipit-$app.path" "$@"
# Also what an earlier setup wrote: it may have died before this.
for dir in "$root" /etc /usr/local/lib; do [ ! -d "$dir" ] || sync -f "$dir"; done
[ "$changed" = yes ] || echo 'nothing to change'
