# Compares the whole received tree (names, types, modes, sizes, links, contents) with the digest that the
# client computed. The listing stays as the release's manifest; it is printed when it differs.
# args: root id digest
# exits: 24 the tree differs from its digest
set -eu
id=${held_id:-$2}
cd "$1/releases/.in-$id"
manifest=$1/.shipit/releases/.in-$id/manifest
{
    find . -mindepth 1 \( -type f -printf 'f %m %s %P\0' -o -type d -printf 'd %m %P\0' \
        -o -type l -printf 'l %P//%l\0' -o -printf '? %P\0' \) | sort -z
    find . -type f -printf './%P\0' | sort -z | xargs -0 -r sha256sum -z --
} >"$manifest"
digest=$(sha256sum <"$manifest")
if [ "${digest%% *}" != "$3" ]; then
    cat "$manifest"
    exit 24
fi
echo "$3" >"${manifest%manifest}digest"
