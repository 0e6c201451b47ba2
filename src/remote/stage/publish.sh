# Gives the received release its name: flushed first, then renamed, then the name is flushed. From here on
# it is complete. Prints its id (the one that was held: two clients may come in the same second).
# args: root id info (lines of key=value, encoded)
set -eu
id=${held_id:-$2}
cd "$1/.shipit"
printf '%s\n' "$3" >"releases/.in-$id/info"
mkdir -p links
ln -s -- "releases/$id" "links/$id"
mv -T -- "releases/.in-$id" "releases/$id"
sync -f "../releases/.in-$id"
# The ledger knows it before it can be seen: a release that nobody knows would never be used or removed.
[ -z "$(tail -c 1 ledger)" ] || printf '\n' >>ledger
printf '%s %s %s %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" - - "staged $id" >>ledger
sync ledger
mv -T -- "../releases/.in-$id" "../releases/$id"
sync ../releases releases links
echo "$id"
