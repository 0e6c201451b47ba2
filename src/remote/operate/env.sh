# Says which units read the app's environment, and hands stdin to the host's own helper for it, by sudo or as root.
# args: access(sudo|root) app helper-text units…
# exits: 54 the helper is missing, or may not be run · else the helper's
access=$1 app=$2 text=$3 helper=/usr/local/lib/shipit/$2/env
shift 3
for unit in "$@"; do
    systemctl show -p EnvironmentFiles -- "$unit" </dev/null | sed "s/^EnvironmentFiles=/reads $unit /" || exit
done
[ "$access" = sudo ] || exec sh -c "$text" shipit "$app"
[ -x "$helper" ] && sudo -n -l "$helper" "$app" >/dev/null 2>&1 </dev/null || exit 54
exec sudo -n "$helper" "$app"
