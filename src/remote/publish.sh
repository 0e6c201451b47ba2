# Gives the received release its name: flushed first, then renamed, then the name is flushed. From here on
# it is complete. Prints the id that it got (a taken one gets -2, -3, …).
# args: root id info (lines of key=value, encoded)
set -eu
cd "$1/.shipit"
printf '%s\n' "$3" >"releases/.in-$2/info"
exec 9<releases
flock -w 30 9
id=$2 n=2
while [ -e "../releases/$id" ] || [ -e "releases/$id" ]; do
    id=$2-$n n=$((n + 1))
done
mkdir -p links
ln -s -- "releases/$id" "links/$id"
mv -T -- "releases/.in-$2" "releases/$id"
sync -f "../releases/.in-$2"
mv -T -- "../releases/.in-$2" "../releases/$id"
sync ../releases releases links
printf '%s %s %s %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" - - "staged $id" >>ledger
sync ledger
echo "$id"
