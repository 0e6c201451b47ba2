# Puts the conductor in place, whole or not at all. It comes on stdin; it runs as the deploy user.
# args: root sha256
# exits: 27 what came is not what was sent
set -eu
cd "$1/.shipit"
cat >conductor.new
got=$(sha256sum <conductor.new)
[ "${got%% *}" = "$2" ] || exit 27
sync conductor.new
mv -fT -- conductor.new conductor
sync .
