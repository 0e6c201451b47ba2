# Gives the received release its name: flushed first, then renamed, then the name is flushed. From here on
# it is complete. One that was prepared has its name already, and stops being `.in-ID` too. Prints its id (the one that
# was held: two clients may come in the same second).
# args: root id info (lines of key=value, encoded) prepared|''
# exits: 55 the path of another release is left in the release
set -eu
id=${held_id:-$2}
cd "$1/.shipit"
printf '%s\n' "$3" >"releases/.in-$id/info"
if [ -n "${4-}" ]; then
    # What `prepare` changed is not what was sent: no later release takes it over.
    stamps=releases/.in-$id/stamps
    (cd "../releases/.in-$id" && find . -type f -uid "$(id -u)" -gid "$(id -g)" -printf '%i %T@ %s %m ./%P\0') |
        sort -z >"$stamps.now"
    comm -z -23 "$stamps" "$stamps.now" | sed -z 's/^[^ ]* [^ ]* [^ ]* [^ ]* /0 0 0 0 /' >"$stamps.prepared"
    comm -z -12 "$stamps" "$stamps.now" | sort -z - "$stamps.prepared" >"$stamps.new"
    mv -- "$stamps.new" "$stamps"
    # Programs and symlinks that were made in another release or an upload, and copied from there.
    releases=$1/releases/ any='\(\.in-\)\{0,1\}[0-9][0-9-]\{7,\}'
    left=$(cd "../releases/.in-$id/" && {
        find . -type l -lname "$releases*" -printf '%P:%l\n'
        find . -type f -path '*/bin/*' -size -1024k -printf '%P\0' | xargs -0 -r grep -oIHe "$releases$any" -- || :
    } | grep -e ":$releases$any" | grep -ve ":$releases$id\(/.*\)\{0,1\}\$" | sort -u) || :
    [ -z "$left" ] || { printf '%s\n' "$left" | head -n 5 >&2; exit 55; }
fi
(cd "./releases/.in-$id" && rm -f list except list.moved listing around around.now stamps.now stamps.prepared)
[ -d links ] || mkdir -p links
ln -s -- "releases/$id" "links/$id"
ln -s -- "../releases/$id" "releases/.in-$id/slot"
mv -T -- "releases/.in-$id" "releases/$id"
sync -f "../releases/.in-$id"
# The ledger knows it before it can be seen: a release that nobody knows would never be used or removed.
[ -z "$(tail -c 1 ledger)" ] || printf '\n' >>ledger
printf '%s %s %s %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" - - "staged $id" >>ledger
sync ledger
if [ -L "../releases/.in-$id" ]; then rm -f -- "../releases/.in-$id"
else mv -T -- "../releases/.in-$id" "../releases/$id"; fi
sync ../releases releases links
echo "$id"
