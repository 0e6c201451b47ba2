# Prints the manifest of one release: what travelled, by name, mode, size and sha256.
# args: root id
set -eu
cat "$1/.shipit/releases/$2/manifest"
