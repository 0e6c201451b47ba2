# Opens the directory that a release is received in and holds a lock on it for the whole session, so that
# what a dead client left can be told from what is still being filled, and is collected here.
# args: root id
cd "$1/releases" && exec 5<. && flock -w 30 5 || exit 20
for left in .in-*; do
    [ -d "$left" ] || continue
    (flock -n 6 && chmod -R u+w -- "$left" && rm -rf -- "$left" "../.shipit/releases/$left") 6<"$left" || :
done
# An adopted tree may have a setgid releases/: every directory unpacked below would inherit the bit.
mkdir -m 0755 ".in-$2" && chmod g-s ".in-$2" && mkdir -p "../.shipit/releases/.in-$2" || exit 21
exec 7<".in-$2" && flock -n 7 || exit 22
exec 5<&-
