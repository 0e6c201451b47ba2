#!/usr/bin/env bash
# image.sh SUITE: prints the directory of that suite's image, built first if its recipe is new.
# SUITE+apps is the same with the runtimes of real apps (image-apps.packages).
# One build at a time for each recipe; a half-built image never has the name of a whole one.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=SCRIPTDIR/../lib.sh
. "$here/../lib.sh"
# shellcheck source=SCRIPTDIR/lib.sh
. "$here/lib.sh"

name=$1
suite=${name%+apps}
case $suite in bookworm | trixie) ;; *) die "no such suite: $name (bookworm, trixie, each with +apps)" ;; esac
packages=$(cat "$here/image.packages")
[ "$name" = "$suite" ] || packages=$(printf '%s\n' "$packages" && cat "$here/image-apps.packages")

# This machine's own Debian sources, with the suite replaced: "URI SUITE" a line. Other people's
# repositories do not matter; a machine that is not Debian names a mirror in SHIPIT_LAB_MIRROR.
# apt takes a second to tell, and every host that boots asks: the answer is kept until apt's configuration changes.
sources() {
  if [ -n "${SHIPIT_LAB_MIRROR:-}" ]; then
    printf '%s %s\n' "$SHIPIT_LAB_MIRROR" "$suite"
    return
  fi
  local own kept=$images/sources-$suite
  if [ -s "$kept" ] && [ -z "$(find -L /etc/apt /etc/os-release -newer "$kept" -print -quit)" ]; then
    cat "$kept"
    return
  fi
  own=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-none}")
  # shellcheck disable=SC2016 # apt's own variables
  apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' |
    awk -v own="$own" -v suite="$suite" \
      '$1 ~ /\/debian(-security)?\/?$/ && index($2, own) == 1 { print $1, suite substr($2, length(own) + 1) }' |
    sort -u >"$kept.$$"
  mv "$kept.$$" "$kept"
  cat "$kept"
}
mkdir -p "$images"
sources=$(sources)
[ -n "$sources" ] || die "no Debian source in this machine's apt configuration; set SHIPIT_LAB_MIRROR to a mirror's URI"

recipe=$(cat "$here/image.sh" "$here/inside.sh" && printf '%s\n' "$packages" "$suite" "$sources")
key=$name-$(printf '%s' "$recipe" | sha256sum | cut -c1-16)
exec 9>"$images/$key.lock"
flock 9
if [ ! -d "$images/$key" ]; then
  say "building the lab's $name image, once: about 30 s; with apps a minute"
  started=$(date +%s)
  rm -rf "$images/.build-$key"
  # What apt needs to reach its sources from here (a proxy, a clock that is off) holds for the build too.
  options=$(mktemp)
  trap 'rm -f "$options"' EXIT
  apt-config dump | grep -E '^Acquire::(http|https|Check|Retries).* "[^"]' >"$options" || :
  export SHIPIT_LAB_INSIDE=$here/inside.sh
  # shellcheck disable=SC2016 # $1 and the variable belong to the hook
  printf '%s\n' "$sources" | sed 's/^/deb /; s/$/ main/' |
    mmdebstrap --mode=root --variant=minbase --quiet --aptopt="$options" \
      --include="$(awk '/^[^#]/ { print $1 }' <<<"$packages" | paste -sd,)" \
      --customize-hook='chroot "$1" /bin/sh -s <"$SHIPIT_LAB_INSIDE"' \
      "$suite" "$images/.build-$key" - >&2 9>&-
  rm -f "$images/.build-$key/etc/apt/apt.conf.d/99mmdebstrap"
  mv -T "$images/.build-$key" "$images/$key"
  say "built in $(($(date +%s) - started)) s: $images/$key"
  # Recipes that nobody asked for in a week, and that no host stands on, go.
  find "$images" -maxdepth 1 -type d -name "$name-*" ! -name "$key" -mtime +7 | while read -r old; do
    grep -qsFx "$old" "$hosts"/*/image || rm -rf "$old" "$old.lock"
  done
fi
touch "$images/$key"
printf '%s\n' "$images/$key"
