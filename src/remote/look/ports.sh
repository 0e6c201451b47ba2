# Prints which ports the units in /etc name, and which apps shipit set up. Changes nothing. Who listens, listening.sh
# prints.
# prints: port UNIT NUMBER · app NAME · whole at the end
set -e
dir=/etc/systemd/system
for file in "$dir"/*.service "$dir"/*.socket; do
    name=${file##*/}
    case $name in *[!A-Za-z0-9@._-]*) continue ;; esac
    [ -f "$file" ] || continue
    if text=$(cat -- "$file" 2>/dev/null); then
        printf '%s\n' "$text" | sed -n \
            -e "s/^ListenStream=\(.*:\)\{0,1\}\([0-9][0-9]*\)[[:space:]]*\$/port $name \2/p" \
            -e "s/^Environment=\(.*[\" ]\)\{0,1\}PORT=\([0-9][0-9]*\).*/port $name \2/p"
    else echo "unreadable $file"; fi
done
for file in "$dir"/shipit-*.path; do
    name=${file##*/shipit-}
    case $name in *[!A-Za-z0-9.-]*) ;; *) [ ! -e "$file" ] || echo "app ${name%.path}" ;; esac
done
echo whole
