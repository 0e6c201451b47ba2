# The last part of run_helper.sh, in the same file on the host: one unit for one command, gone when that has ended. With
# three terminals the command gets one of its own; else it gets these three files, none of which may be a terminal.
# exits: 2 not understood · 57 the unit cannot run commands (printed) · 125 the command was not started (printed)
#        else the command's
# shellcheck shell=sh disable=SC2034,SC2154
umask 022
dir=/run/systemd/system/$name.service.d
lines=$(systemctl cat --no-pager -- "$unit") || fail 57 "systemd cannot show the text of $unit"
lines=$(printf '%s\n' "$lines" | service_lines) ||
    fail 57 "the settings of $unit cannot be copied to the unit that runs the command"
if [ "$verb" = check ]; then
    echo "user $user"
    exit 0
fi
if [ -t 0 ] && [ -t 1 ] && [ -t 2 ]; then
    stdio=--pty
elif [ -t 0 ] || [ -t 1 ] || [ -t 2 ]; then
    fail 2 'some of stdin, stdout and stderr are terminals, and some are not'
else
    stdio=--pipe
fi
# When the connection is lost, sudo or the kernel sends a signal here, at any moment.
lost=no pid=
trap 'lost=yes; [ -z "$pid" ] || kill "$pid" 2>/dev/null || :' HUP INT QUIT TERM
mkdir -- "$dir" || exit 125
trap 'rm -rf -- "$dir"' EXIT
# Not the runtime directory: the service itself may be using it when the command ends.
printf '%s\n' '[Unit]' "JoinsNamespaceOf=$unit" '[Service]' "$lines" \
    '[Service]' "User=$user" RuntimeDirectoryPreserve=yes "Environment=SHIPIT_RUN=$id" >"$dir/unit.conf" || exit 125
logger -t shipit -p auth.notice -- "$app: $by (${SUDO_USER:-root}) runs a command as $user, as $unit" || exit 125
[ "$lost" = no ] || exit 125
code=0
# systemd may not have seen the directory with the settings: the user is told here too, and nothing is decoded without
# them. In ExecStart= a `$` is written twice. In the background, or no signal would be handled while it runs: what runs
# there gets an empty stdin, unless it comes by another number.
exec 3<&0
# shellcheck disable=SC2016
env -i "PATH=$PATH" "TERM=$term" SYSTEMD_TINT_BACKGROUND=0 SYSTEMD_ADJUST_TERMINAL_TITLE=0 \
    systemd-run --quiet --wait --no-ask-password $stdio --service-type=exec --unit="$name.service" \
    --property="User=$user" --description="shipit run: a command of $app" -- \
    /bin/sh -c '[ "$${SHIPIT_RUN-}" = "$$2" ] || { echo "the settings of the unit were not applied" >&2; exit 125; }
        unset SHIPIT_RUN; set -- "$$(printf %s "$$1" | /usr/bin/base64 -d)"; [ -n "$$1" ] || exit 125; eval "$$1"' \
    sh "$text" "$id" <&3 3<&- &
pid=$!
[ "$lost" = no ] || kill "$pid" 2>/dev/null || :
wait "$pid" 2>/dev/null || code=$?
trap '' HUP INT QUIT TERM
if [ "$lost" = yes ]; then
    # In this order: a start that systemd reads after the stop finds no settings, and decodes nothing. The process ends
    # first: after that wait, its number is another's.
    rm -rf -- "$dir"
    kill -KILL "$pid" 2>/dev/null || :
    wait "$pid" 2>/dev/null || :
    systemctl stop "$name.service" 2>/dev/null || :
    systemctl reset-failed -- "$name.service" 2>/dev/null || :
    exit 125
fi
[ "$code$stdio" != 0--pipe ] || exit 0
of=ActiveState,ActiveEnterTimestampMonotonic,ExecMainCode,ExecMainStatus
show=$(systemctl show -p "$of" -- "$name.service") || exit 125
case $(value ActiveState) in
inactive | failed) ;;
*)
    # systemd-run ended before the command: by one of its keys, or somebody ended it.
    [ "$code" != 0 ] || code=125
    systemctl stop "$name.service" 2>/dev/null || :
    show=$(systemctl show -p "$of" -- "$name.service") || exit 125
    ;;
esac
[ "$code" != 0 ] || exit 0
case $(value ActiveEnterTimestampMonotonic)-$(value ExecMainCode) in
0-*)
    echo "systemd could not start a command with the settings of $unit: exit status $code" >&2
    journalctl --quiet --no-pager --output=cat --lines=5 --unit="$name.service" >&2 || :
    code=125
    ;;
*-[23]) code=$((128 + $(value ExecMainStatus))) ;;
esac
systemctl reset-failed -- "$name.service" 2>/dev/null || :
exit "$code"
