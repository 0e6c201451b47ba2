# Prints what an upload that was cut left: of the newest one that no session fills any more the line `cut NAME`, then
# `SHA256  ./PATH` of each file, ended by NUL. Nothing where there is none. Changes nothing.
# args: root
set -eu
cd "$1/.shipit" 2>/dev/null || { echo whole && exit 0; }
shift
# Root reads nothing that another user made.
if [ -O . ]; then
    for upload in ../releases/.in-*; do
        name=${upload##*/}
        # All files of a symlink, and of one with a digest, have arrived: its `prepare` may have run, and made more.
        [ -d "$upload" ] && [ ! -L "$upload" ] || continue
        [ -d "releases/$name" ] && [ ! -e "releases/$name/digest" ] || continue
        set -- "$name" "$@"
    done
fi
for name in "$@"; do
    # The lock is held while the files are read: no session removes them meanwhile.
    exec 6<"releases/$name"
    flock -n 6 || continue
    echo "cut $name"
    cd "../releases/$name"
    find . -type f -size +0 -print0 | xargs -0 -r sha256sum -z --
    break
done
echo whole
