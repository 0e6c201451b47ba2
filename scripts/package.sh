#!/usr/bin/env bash
# Makes what users install, in target/packages/: an archive, a Debian package, an RPM, their SHA256SUMS, and the crate.
#   scripts/package.sh              all of it, and tries the Debian package on lab hosts
#   scripts/package.sh STAGE...     only these: binary archive deb rpm sums unpack crate try
# For the processor of this machine, on a Debian with Rust. The linker comes from PyPI; what packaging/packages lists is
# installed from Debian, as root or by sudo. What cannot be had is skipped, loudly; with CI=true that is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=SCRIPTDIR/lib.sh
. scripts/lib.sh

glibc=2.28
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
target=$(rustc -vV | sed -n 's/^host: //p')
out=target/packages
name=shipit-$version-$target
deb=$out/shipit_${version}-1_$(dpkg --print-architecture).deb
# One moment for all files: the last commit's.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH

# What is not checked, and how to get what checks it.
skipped() {
  say "SKIPPED: $1 is not installed; $2 (apt-get install $1)"
  [ "${CI:-}" != true ] || die "with CI=true nothing is skipped"
}

# Linked against glibc 2.28, so that it runs on each Debian, Ubuntu and RHEL since 2018.
binary() {
  [ -x target/venv/bin/cargo-zigbuild ] || python3 -m venv target/venv
  target/venv/bin/pip --quiet install --requirement packaging/requirements.txt
  # A zlib of this machine would have to be on every other one.
  LIBZ_SYS_STATIC=1 PATH=$PWD/target/venv/bin:$PATH cargo zigbuild --locked --release --target "$target.$glibc"
  local needs
  needs=$(objdump -p "target/$target/release/shipit" | sed -n 's/^ *NEEDED *//p' |
    grep -vE '^(ld-linux.*|lib(c|m|dl|rt|pthread|gcc_s))\.so\.[0-9]+$') || needs=
  [ -z "$needs" ] || die "the binary needs $needs"
  needs=$(objdump -T "target/$target/release/shipit" | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -n 1)
  printf '%s\n' "$needs" "GLIBC_$glibc" | sort -CV || die "the binary needs $needs"
  mkdir -p "$out"
  install -m 0755 "target/$target/release/shipit" "$out/shipit"
  say "$out/shipit: $(stat -c %s "$out/shipit") bytes, needs $needs"
}

# The files of the archive.
archive() {
  local dir=$out/$name shell
  rm -rf "$dir"
  mkdir -p "$dir/completions"
  install -m 0755 "$out/shipit" "$dir/shipit"
  install -m 0644 README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE deploy.example.yml deploy.schema.json "$dir"
  cp -R docs "$dir/docs"
  "$out/shipit" man --dir "$dir/man"
  for shell in bash fish zsh; do "$out/shipit" completions "$shell" >"$dir/completions/shipit.$shell"; done
  mv "$dir/completions/shipit.zsh" "$dir/completions/_shipit"
  packaging/notices.sh "$target" >"$dir/THIRD-PARTY-NOTICES"
  chmod -R u=rwX,go=rX "$dir"
  tar -C "$out" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" \
    -cf - "$name" | gzip -9n >"$out/$name.tar.gz"
}

# The same files where Debian has them; lintian checks it, by Debian's rules on every distribution.
deb() {
  local from=$out/$name root=$out/deb doc
  doc=$root/usr/share/doc/shipit
  rm -rf "$root"
  mkdir -p "$root/DEBIAN" "$doc" "$root/usr/share/man/man1" "$root/usr/share/lintian/overrides"
  install -D -m 0755 "$from/shipit" "$root/usr/bin/shipit"
  install -m 0644 "$from"/man/*.1 "$root/usr/share/man/man1"
  install -D -m 0644 "$from/completions/shipit.bash" "$root/usr/share/bash-completion/completions/shipit"
  install -D -m 0644 "$from/completions/_shipit" "$root/usr/share/zsh/vendor-completions/_shipit"
  install -D -m 0644 "$from/completions/shipit.fish" "$root/usr/share/fish/vendor_completions.d/shipit.fish"
  install -D -m 0644 deploy.example.yml "$doc/examples/deploy.yml"
  install -m 0644 deploy.schema.json "$doc/examples/deploy.schema.json"
  # The pages have files to copy.
  install -m 0644 README.md "$doc"
  cp -R docs "$doc/docs"
  install -m 0644 packaging/deb/lintian-overrides "$root/usr/share/lintian/overrides/shipit"
  install -m 0644 CHANGELOG.md "$doc/changelog"
  install -m 0644 "$from/THIRD-PARTY-NOTICES" "$doc/third-party-notices"
  sed '1,/^$/d; s/^$/./; s/^/ /' LICENSE-MIT |
    sed -e '/^@MIT@$/{r /dev/stdin' -e 'd}' packaging/deb/copyright >"$doc/copyright"
  printf 'shipit (%s-1) unstable; urgency=medium\n\n  * Release %s: see changelog.gz.\n\n -- %s  %s\n' \
    "$version" "$version" "$(sed -n 's/^Maintainer: //p' packaging/deb/control)" \
    "$(date -u -R -d "@$SOURCE_DATE_EPOCH")" >"$doc/changelog.Debian"
  gzip -9n "$root"/usr/share/man/man1/*.1 "$doc/changelog" "$doc/changelog.Debian" "$doc/third-party-notices"
  chmod -R u=rwX,go=rX "$root"
  sed -e "s/@VERSION@/$version-1/" -e "s/@GLIBC@/$glibc/" -e "s/@SIZE@/$(du -sk "$root/usr" | cut -f 1)/" \
    packaging/deb/control >"$root/DEBIAN/control"
  (cd "$root" && find usr -type f -print0 | sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
  dpkg-deb --root-owner-group -Zxz --build "$root" "$deb" >&2
  if command -v lintian >/dev/null; then
    lintian --profile debian --fail-on error,warning "$deb"
  else
    skipped lintian "the Debian package is NOT checked"
  fi
}

# The same files where Fedora has them; then they are installed in an empty root, where the program must start.
rpm() {
  command -v rpmbuild >/dev/null || { skipped rpm "no RPM is made"; return; }
  local top=$PWD/$out/rpm
  rm -rf "$top" "$out"/*.rpm
  mkdir -p "$top"
  # A hyphen would end the version; a tilde sorts before the release itself.
  rpmbuild -bb --quiet --define "_topdir $top" --define "from $PWD/$out/$name" \
    --define "release_version ${version//-/\~}" packaging/rpm/shipit.spec >&2
  mv "$top"/RPMS/*/*.rpm "$out"
  command rpm --root "$top/root" --initdb
  command rpm --root "$top/root" --install --nodeps --nosignature "$out"/*.rpm
  "$top/root/usr/bin/shipit" --version >&2
  cmp "$top/root/usr/bin/shipit" "$out/$name/shipit"
  gzip -t "$top/root/usr/share/man/man1/shipit-deploy.1.gz"
  command rpm --query --package --requires "$out"/*.rpm | grep '^libc.so.6(GLIBC_' >/dev/null || die "the RPM names no glibc"
}

sums() { (cd "$out" && find . -maxdepth 1 \( -name '*.tar.gz' -o -name '*.deb' -o -name '*.rpm' \) -printf '%P\0' |
  LC_ALL=C sort -z | xargs -0 sha256sum -- >SHA256SUMS && cat SHA256SUMS); }

# What a user does with the archive who downloaded it.
unpack() { packaging/unpack.sh "$out"; }

# What `cargo install` gets: packed, unpacked and built alone.
crate() { cargo package --locked; }

try() {
  local suite
  for suite in bookworm trixie; do packaging/try.sh "$deb" "$suite"; done
}

[ $# -gt 0 ] || set -- binary archive deb rpm sums unpack crate try
for stage in "$@"; do
  case $stage in
    binary | archive | deb | rpm | sums | unpack | crate | try) ;;
    *) die "no such stage: $stage (binary archive deb rpm sums unpack crate try)" ;;
  esac
done
need_packages packaging/packages || say "apt-get could not install all of packaging/packages"
for stage in "$@"; do
  say "== $stage"
  "$stage"
done
