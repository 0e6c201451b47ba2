# Opens the directory that a release is received in and holds a lock on it for the whole session, so that
# what a dead client left can be told from what is still being filled, and is collected here.
# Two clients may come in the same second: whoever finds the name taken gets -2, -3, …, and what follows in
# this session reads it from `held_id`.
# args: root id
# exits: 20 releases could not be locked · 21 the directory of the release could not be created
#        22 the directory of the release could not be locked
cd "$1/releases" && exec 5<. && flock -w 30 5 || exit 20
for left in .in-*; do
    [ -d "$left" ] || continue
    (flock -n 6 && chmod -R u+w -- "$left" && rm -rf -- "$left" "../.shipit/releases/$left") 6<"$left" || :
done
held_id=$2 held_try=2
while [ -e ".in-$held_id" ] || [ -e "$held_id" ] || [ -e "../.shipit/releases/$held_id" ] ||
    [ -L "../.shipit/links/$held_id" ]; do
    held_id=$2-$held_try held_try=$((held_try + 1))
done
# An adopted tree may have a setgid releases/: every directory unpacked below would inherit the bit.
mkdir -m 0755 ".in-$held_id" && chmod g-s ".in-$held_id" && mkdir -p "../.shipit/releases/.in-$held_id" || exit 21
exec 7<".in-$held_id" && flock -n 7 || exit 22
exec 5<&-
