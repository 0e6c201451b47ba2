# A part of env_helper.sh, in the same file on the host: which units read the app's environment, and as whom. Asks
# systemd, never the text of a unit for what systemd can say. Changes nothing.
# shellcheck shell=dash disable=SC2154

# reads PATH: whether it is this file, as EnvironmentFile= may name it: a pattern, or through symlinks.
reads() {
    local file
    set +f
    for file in $1; do
        if [ "$(readlink -m -- "$file")" = "/etc/$app/env" ]; then set -f; return; fi
    done
    set -f
    # shellcheck disable=SC2254 # a pattern that matches nothing yet
    case /etc/$app/env in $1) ;; *) return 1 ;; esac
}

# root_reader: the first unit that reads the file and runs anything as root, however its text is written: systemd is
# asked for the flags that it acts on. Fails when it cannot be asked. PermissionsStartOnly= is not among the properties:
# each mention counts. So does a unit that systemd has not read again.
root_reader() {
    local kinds=--type=service,socket,mount,swap show=Id,User,DynamicUser,NeedDaemonReload,EnvironmentFiles
    local IFS='
' units unit dynamic special user file text
    units=$(systemctl list-unit-files --no-legend --no-pager "$kinds" &&
        systemctl list-units --all --plain --no-legend --no-pager "$kinds" &&
        find /etc/systemd/system -maxdepth 1 -name '*@?*.service.d' -printf '%f\n') || return 1
    for unit in Condition StartPre Start StartPost Reload ReloadPost StopPre Stop StopPost; do
        show=$show,Exec$unit,Exec${unit}Ex
    done
    set -f
    # shellcheck disable=SC2046 # a unit a line
    units=$(systemctl show --no-pager -p "$show" -- \
        $(printf '%s\n' "$units" | sed 's/ .*//; s/\.d$//; s/@\./@shipit./' | sort -u)) || return 1
    units=$(printf '%s\n' "$units" | awk -v RS= -v OFS='|' '{
        n = 0; split("", is); special = "no"; lines = split($0, line, "\n")
        for (i = 1; i <= lines; i++) {
            at = index(line[i], "="); key = substr(line[i], 1, at - 1); value = substr(line[i], at + 1)
            if (key == "EnvironmentFiles") { sub(/ \(ignore_errors=[a-z]*\)$/, "", value); file[++n] = value }
            else if (value ~ / flags=[a-z -]*(privileged|no-setuid|ambient)/) special = "yes"
            else is[key] = value
        }
        if (is["NeedDaemonReload"] == "yes") file[++n] = "?"
        for (i = 1; i <= n; i++) print is["Id"], is["DynamicUser"], special, is["User"], file[i]
    }') || return 1
    while IFS='|' read -r unit dynamic special user file; do
        [ "$file" = '?' ] || reads "$file" || continue
        text=$(systemctl cat --no-pager -- "$unit") || return 1
        case $file$text in
        '?'*EnvironmentFile* | [!?]*PermissionsStartOnly*) special=yes ;;
        '?'*) continue ;;
        esac
        [ "$dynamic" != yes ] || user=nobody
        case $user in '' | root) special=yes ;; esac
        [ "$special" = yes ] || [ "$(id -u -- "$user" 2>/dev/null)" != 0 ] || special=yes
        [ "$special" = no ] || { echo "$unit"; return; }
    done <<END
$units
END
}
