#!/usr/bin/env bash
# Prints the notices of everything that is linked into the binary: each crate with its license and the license files
# that its author ships, and OpenSSL. Reads the crates that cargo downloaded; changes nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${1:?usage: packaging/notices.sh TARGET}

crates() {
  cargo tree --locked --target "$target" -e normal,no-proc-macro --prefix none --format '{p} {l}' |
    sed 's/ (\*)$//' | sort -u | grep -v '^shipit '
}

sources=$(cargo metadata --locked --format-version 1 --filter-platform "$target" |
  python3 -c 'import json, os, sys
for package in json.load(sys.stdin)["packages"]:
    print(package["name"], "v" + package["version"], os.path.dirname(package["manifest_path"]))')

# The directory of a crate, as cargo unpacked it.
source_of() { awk -v name="$1" -v version="$2" '$1 == name && $2 == version { print $3 }' <<<"$sources"; }

echo 'shipit is linked with the following works. Each is used under one of the licenses named beside it.'
crates | while read -r name version license; do
  printf '\n==== %s %s (%s)\n' "$name" "$version" "$license"
  dir=$(source_of "$name" "$version")
  find "$dir" -maxdepth 1 -type f \( -iname 'licen[sc]e*' -o -iname 'copying*' -o -iname 'copyright*' -o -iname 'notice*' \) |
    sort | while read -r file; do printf '\n-- %s\n' "$(basename "$file")"; cat "$file"; done
done
printf '\n==== OpenSSL (Apache-2.0) and libssh2 (BSD-3-Clause)\n'
libssh2=$(awk '$1 == "libssh2-sys" { print $3 }' <<<"$sources")/libssh2/COPYING
openssl=$(awk '$1 == "openssl-src" { print $3 }' <<<"$sources")/openssl/LICENSE.txt
cat "$libssh2" "$openssl"
