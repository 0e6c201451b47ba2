# The other half of setup.sh, in the same shell: what belongs to root is installed. Each file is replaced whole, and only
# when it differs. Nothing here touches the app's root.
# shellcheck shell=sh disable=SC2154
env_helper=${10-} journal_helper=${11-}

# put FILE TEXT MODE: replaced whole, and only when it differs.
changed=no
put() {
    [ ! -e "$1" ] || [ "$(cat -- "$1")" != "$2" ] || return 0
    printf '%s\n' "$2" >"$1.new"
    chmod "$3" "$1.new"
    mv -fT -- "$1.new" "$1"
    echo "wrote $1"
    changed=yes
}
if [ -n "$sudo_rule" ]; then
    # Before the rule that names them: root's own, in root's own directories.
    for dir in /usr/local/lib/shipit "/usr/local/lib/shipit/$app"; do
        [ -d "$dir" ] && [ ! -L "$dir" ] || mkdir -- "$dir"
        chown root:root "$dir" && chmod 0755 "$dir"
    done
    put "/usr/local/lib/shipit/$app/env" "$env_helper" 0755
    put "/usr/local/lib/shipit/$app/journal" "$journal_helper" 0755
    printf '%s\n' "$sudo_rule" >/etc/shipit-check.new
    visudo -qcf /etc/shipit-check.new >&2 || { rm -f /etc/shipit-check.new; exit 41; }
    rm -f /etc/shipit-check.new
    put "/etc/sudoers.d/shipit-$app" "$sudo_rule" 0440
fi
put "/etc/systemd/system/shipit-$app.path" "$path_unit" 0644
put "/etc/systemd/system/shipit-$app.service" "$service_unit" 0644
put "/etc/systemd/system/shipit-$app-boot.service" "$boot_unit" 0644
# Always: an earlier setup may have died before this. A path unit watches its old path until it is restarted.
systemctl daemon-reload
systemctl enable --quiet "shipit-$app.path" "shipit-$app-boot.service"
systemctl restart "shipit-$app.path"
[ "$changed" = yes ] || echo 'nothing to change'
