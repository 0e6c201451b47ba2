#!/usr/bin/env bash
# Does with the archive what a user does who downloaded it: compares the checksums, unpacks it in a directory of its own,
# and starts the program there, without the environment of this shell. Checks that the manual pages and the completions
# know every command, and that the licenses are there. Installs nothing.
#   packaging/unpack.sh DIRECTORY    with one archive and SHA256SUMS
set -euo pipefail
# shellcheck source=SCRIPTDIR/../scripts/lib.sh
. "$(dirname "$0")/../scripts/lib.sh"
from=${1:?DIRECTORY}

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cp "$from"/shipit-*.tar.gz "$from/SHA256SUMS" "$dir"
cd "$dir"
archive=$(echo shipit-*.tar.gz)
sha256sum --check --strict --ignore-missing SHA256SUMS | grep -qx "$archive: OK" || die "SHA256SUMS does not fit $archive"
# A check that passes whatever is in the file would be none.
printf x >>"$archive"
! sha256sum --check --strict --ignore-missing --status SHA256SUMS 2>/dev/null || die "SHA256SUMS fits a damaged file"
truncate --size=-1 "$archive"

tar -xzf "$archive"
name=${archive%.tar.gz}
# As in the README: everything is in one directory of the archive's name.
[ "$(tar -tzf "$archive" | cut -d / -f 1 | sort -u)" = "$name" ] || die "$archive has more than $name/"
cd "$name"
# `bin-dir` of [package.metadata.binstall], which names the file in it.
[ -x ./shipit ] || die "no program in $archive"
shipit() { env -i HOME="$dir" PATH="$PWD:/usr/bin:/bin" shipit "$@"; }
[ "$(shipit --version)" = "shipit $(sed 's/^shipit-//; s/-[^-]*-[^-]*-[^-]*-[^-]*$//' <<<"$name")" ] || die "$(shipit --version)"
[ "$(shipit config example)" = "$(cat deploy.example.yml)" ] || die "deploy.example.yml is of another version"
[ "$(shipit config schema)" = "$(cat deploy.schema.json)" ] || die "deploy.schema.json is of another version"

# commands WORD...: the commands below this one, each with the words before it, as --help lists them.
commands() {
  local word
  for word in $(shipit "$@" --help | sed -n '/^Usage:/,/^Options/s/^  \([a-z][a-z-]*\) .*/\1/p'); do
    [ "$word" != help ] || continue
    printf '%s\n' "$*${*:+ }$word"
    commands "$@" "$word"
  done
}
# completed WORD...: what bash proposes after these words.
completed() {
  env -i HOME="$dir" PATH="$PWD:/usr/bin:/bin" bash -c '. completions/shipit.bash
    COMP_WORDS=(shipit "$@" "") COMP_CWORD=$(($# + 1)) COMP_TYPE=9
    _clap_complete_shipit shipit "" "${*: -1}" 2>/dev/null
    printf "%s\n" "${COMPREPLY[@]}"' bash "$@"
}
all=$(commands)
count=$(wc -l <<<"$all")
[ "$count" -gt 30 ] || die "--help lists only $count commands"
while read -r -a words; do
  page=man/shipit$(printf -- '-%s' "${words[@]}").1
  grep -q '^\.SH SYNOPSIS' "$page" || die "no manual page for shipit ${words[*]}"
  last=${words[-1]}
  unset 'words[-1]'
  completed "${words[@]}" | sed 's/[[:space:]]*$//' | grep -qx -- "$last" || die "bash does not complete shipit ${words[*]} $last"
done <<<"$all"
grep -q '^\.SH SYNOPSIS' man/shipit.1 || die "no manual page for shipit"
for file in completions/_shipit completions/shipit.fish; do grep -q SHIPIT_COMPLETE "$file" || die "$file completes nothing"; done

grep -q 'Permission is hereby granted' LICENSE-MIT || die "LICENSE-MIT is no license"
grep -q 'Apache License' LICENSE-APACHE || die "LICENSE-APACHE is no license"
for work in clap ssh2 'OpenSSL (Apache-2.0) and libssh2'; do
  grep -q "^==== $work" THIRD-PARTY-NOTICES || die "THIRD-PARTY-NOTICES does not have $work"
done
for file in README.md CHANGELOG.md; do [ -s "$file" ] || die "no $file"; done
say "$archive: checksum, program, manual pages and completions of $count commands, licenses"
