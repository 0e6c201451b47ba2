# The end of setup.sh: prints what may keep the deploy user or the app's user out, a line `access KIND WHAT` each. Only
# reads. What the deploy user really can do is tried by a login after this.
# shellcheck shell=sh disable=SC2154

if [ "$group" != "$user" ] && id -u -- "$group" >/dev/null 2>&1; then
    for part in releases shared; do blocked "$group" "$root/$part"; done | sort -u | sed 's/^/access blocked /'
fi
if [ -n "$sudo_rule" ] && ! grep -Eqs '^[@#]includedir[[:space:]]+/etc/sudoers\.d/?[[:space:]]*$' /etc/sudoers; then
    echo 'access setting /etc/sudoers does not include /etc/sudoers.d, where the rule is'
fi
# keys_of USER: those that the user logs in with, read as that user.
keys_of() {
    of=$(getent passwd "$1" | cut -d : -f 6)
    runuser -u "$1" -- grep -ohs '^[^#]*' "$of/.ssh/authorized_keys" 2>/dev/null </dev/null |
        grep -o 'AAAA[A-Za-z0-9+/=]*' || :
}
keys=$(keys_of "$user")
own=$(keys_of "${SUDO_USER:-root}")
# Both have keys, and none in common: the deploy user logs in from elsewhere, such as CI.
[ -z "$keys" ] || [ -z "$own" ] || printf '%s\n' "$keys" | grep -qxF -e "$own" || echo 'access elsewhere keys'
# What PAM and the login shell refuse, whatever the key.
for file in /etc/nologin /run/nologin; do
    [ ! -e "$file" ] || echo "access nologin $file exists: only root can log in"
done
getent shadow "$user" | {
    IFS=: read -r _ _ last _ max _ _ expire _ || exit 0
    today=$(($(date +%s) / 86400))
    [ -z "$expire" ] || [ "$expire" -gt "$today" ] || echo "access account the account of $user has expired"
    if [ "$last" = 0 ] || { [ -n "$last" ] && [ -n "$max" ] && [ $((last + max)) -lt "$today" ]; }; then
        echo "access password the password of $user has expired: sshd asks for a new one, and runs no command"
    fi
}
shell=$(getent passwd "$user" | cut -d : -f 7)
case $shell in
*/nologin | */false) echo "access shell the login shell of $user refuses every command" ;;
*) [ -z "$shell" ] || [ -x "$shell" ] ||
    echo "access shell the login shell of $user, $shell, does not exist or is not executable" ;;
esac
server=$(command -v sshd || echo /usr/sbin/sshd)
"$server" -T -C "user=$user,host=localhost,addr=127.0.0.1" 2>/dev/null | grep -E \
    '^((allow|deny)(users|groups)|authorizedkeysfile|authorizedkeyscommand|forcecommand) ' |
    grep -Ev '^(authorizedkeysfile \.ssh/authorized_keys( .*)?|[a-z]* none)$' | sed 's/^/access setting sshd: /' || :
