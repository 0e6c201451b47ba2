#!/bin/sh
# The action's first step: puts the archive of a release on PATH, after its SHA-256 and its attestation were checked.
# Never runs what it downloaded. In: VERSION (empty: shipit is installed already), REPOSITORY, RUNNER_TEMP, GITHUB_PATH,
# and GH_TOKEN for gh.
set -eu
if [ -z "$VERSION" ]; then
  command -v shipit >/dev/null || { echo "::error::shipit is not installed; set the input \`version\`"; exit 2; }
  exit 0
fi
case $VERSION in
  *[!0-9A-Za-z.-]* | -*) echo "::error::not a version: use one such as 0.1.0"; exit 2 ;;
esac
name=shipit-$VERSION-x86_64-unknown-linux-gnu
dir=$RUNNER_TEMP/shipit-release
mkdir -p "$dir"
gh release download "v$VERSION" --repo "$REPOSITORY" --dir "$dir" --clobber \
  --pattern "$name.tar.gz" --pattern SHA256SUMS
(cd "$dir" && grep " $name.tar.gz\$" SHA256SUMS | sha256sum --check --strict -)
gh attestation verify "$dir/$name.tar.gz" --repo "$REPOSITORY"
tar -xzf "$dir/$name.tar.gz" -C "$dir" "$name/shipit"
echo "$dir/$name" >>"$GITHUB_PATH"
