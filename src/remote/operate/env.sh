# Says which units read the app's environment, hands stdin to the host's own helper for it, by sudo or as root, and
# records which names changed.
# args: access(sudo|root) root verb by app helper-text units…
# exits: 54 the helper is missing, or may not be run · else the helper's
# shellcheck disable=SC2154 # run_helper sets refused
access=$1 root=$2 verb=$3 by=$4 app=$5 text=$6 helper=/usr/local/lib/shipit/$5/env
shift 6
for unit in "$@"; do
    systemctl show -p EnvironmentFiles -- "$unit" </dev/null | sed "s/^EnvironmentFiles=/reads $unit /" || exit
done
if [ "$access" = sudo ]; then
    printed=$(
        run_helper "$helper" "$app"
        code=$?
        [ "$refused" = no ] || exit 54
        exit $code
    )
else printed=$(sh -c "$text" shipit "$app"); fi
code=$?
[ -z "$printed" ] || printf '%s\n' "$printed"
names=$(printf '%s\n' "$printed" | sed -n -e 's/^added //p' -e 's/^changed //p' -e 's/^removed //p' | head -n 50)
# shellcheck disable=SC2086 # names of variables
if [ "$code" = 0 ] && [ -n "$names" ] && cd "$root/.shipit" 2>/dev/null; then record did "$by" env "$verb" $names; fi
exit $code
