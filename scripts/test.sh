#!/usr/bin/env bash
# All checks and all tests. On a Debian with Rust and gcc it installs what else it needs, as root or by sudo.
#   scripts/test.sh              everything; stops at the first stage that fails
#   scripts/test.sh STAGE...     only these: fmt clippy deny scripts doc test
# Tests on lab hosts need root, taken by sudo where we are somebody else. Where no host can boot (or no sshd is)
# they are left out, and the last lines say how many; with CI=true or SHIPIT_LAB=require that is a failure.
# SHIPIT_LAB_SUITES=all: what must hold on Debian 12 and 13 runs on both. CI takes one for each test, to end in time.
# With CI=true Debian's OpenSSL is linked, as distribution packagers do; to build our own takes three minutes of CPU.
# SHIPIT_TEST_THREADS: tests at once, 4 by default, since most of them wait for hosts. Those that measure time come
# last, one after the other: what is timed must not starve.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=SCRIPTDIR/lib.sh
. scripts/lib.sh

needs() {
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    say "not a Debian: install yourself what scripts/packages and scripts/lab/packages list"
    return
  fi
  need_packages scripts/packages
  need_packages scripts/lab/packages
  need_sshd
  need_browser
  need_node
}

rust() {
  local tool
  command -v cargo >/dev/null || [ ! -e "$HOME/.cargo/env" ] || . "$HOME/.cargo/env"
  command -v cargo >/dev/null || die "no cargo here: install Rust first, from rustup.rs or your distribution"
  for tool in rustfmt clippy; do
    cargo "${tool/rustfmt/fmt}" --version >/dev/null 2>&1 && continue
    command -v rustup >/dev/null || die "no $tool here: install it beside your cargo"
    say "installing with rustup: $tool"
    rustup component add "$tool" >&2
  done
}

fmt() { cargo fmt --check; }

clippy() { cargo clippy --locked "${features[@]}" --all-targets -- -D warnings; }

# Licenses, banned crates and sources of everything that is linked in (deny.toml). A machine without cargo-deny goes on
# without it, and the last line says so.
deny() {
  if cargo deny --version >/dev/null 2>&1; then
    cargo deny --locked check licenses bans sources
  else
    say "SKIPPED: cargo-deny is not installed; licenses, bans and sources of crates are NOT checked (deny.toml)"
    touch "$scratch/undenied"
  fi
}

# The host's scripts are POSIX sh with constant texts and called by name (hence no SC2317, "never called").
# The conductor travels as one script, so its parts are checked as one.
scripts() {
  local script
  for script in src/remote/{lib,stage,switch,look,operate,root}/*.sh; do
    shellcheck -s dash -S warning -e SC2317 "$script"
    dash -n "$script"
  done
  cat src/remote/lib/{arguments,process_release,in_use,unit_journal,read_only}.sh src/remote/conductor/[0-9]*.sh >"$scratch/conductor.sh"
  shellcheck -s dash -S warning -e SC2317 "$scratch/conductor.sh"
  dash -n "$scratch/conductor.sh"
  perl -c src/remote/conductor/meter.pl 2>/dev/null
  perl -c src/remote/operate/drain.pl 2>/dev/null
  shellcheck -x -S warning scripts/*.sh packaging/*.sh packaging/ci/*.sh .ci/run
  scripts/ci_lint.sh
  # What a script of the lab sources is checked with it; lab/inside.sh says itself that it is POSIX sh.
  shellcheck -x -S warning scripts/lab/*.sh
}

# Private items too: those who read these pages work on the program, and a broken link is broken everywhere.
doc() {
  RUSTDOCFLAGS="-Dwarnings -Arustdoc::private_intra_doc_links" \
    cargo doc --locked "${features[@]}" --no-deps --document-private-items --quiet
}

tests() {
  if [ "$(id -u)" -ne 0 ] && sudo -n true 2>/dev/null; then
    # Built as ourselves, run as root: nothing in target/ ends up owned by root.
    local triple
    triple=$(rustc -vV | sed -n 's/^host: //p' | tr a-z- A-Z_)
    export "CARGO_TARGET_${triple}_RUNNER=sudo -n -E"
  fi
  if [ "${CI:-}" = true ]; then export SHIPIT_LAB=require; fi
  local timed=(promise:: lab_instruments::) waiting=(ssh::connection::) skip=() name
  for name in "${timed[@]}" "${waiting[@]}"; do skip+=(--skip "$name"); done
  cargo_test --lib --bins
  cargo_test --test it -- --test-threads="${SHIPIT_TEST_THREADS:-4}" "${skip[@]}" || alone
  cargo_test --doc
  cargo_test --test it -- --test-threads=1 "${timed[@]}" || alone
  # These measure waits of many seconds, and mostly sleep: they may do so together.
  cargo_test --test it -- --test-threads=4 "${waiting[@]}" || alone
}

# Runs tests and keeps a copy of what they print: what was left out and what failed is read from it. In CI a test that
# hangs would be stopped together with the whole run, and its name lost: a little earlier we name it and what it waits for.
cargo_test() {
  local limit=() watcher=
  if [ "${CI:-}" = true ]; then
    limit=(timeout --signal=KILL "$((4800 - SECONDS))")
    [ -p "$scratch/never" ] || mkfifo "$scratch/never"
    (read -r -t "$((4780 - SECONDS))" _ <>"$scratch/never" || still_running >&2) &
    watcher=$!
  fi
  { "${limit[@]}" cargo test --locked "${features[@]}" "$@" 2>&1 >&3 | tee -a "$scratch/stderr" >&2; } 3>&1 | tee "$scratch/stdout" ||
    { [ -z "$watcher" ] || kill "$watcher" 2>/dev/null || :; return 1; }
  [ -z "$watcher" ] || kill "$watcher" 2>/dev/null || :
}

# The tests of which libtest said that they are slow, and not how they ended.
still_running() {
  local name
  for name in $(sed -n 's/^test \([^ ]*\) has been running for over.*/\1/p' "$scratch/stdout"); do
    grep -q "^test $name \.\.\. " "$scratch/stdout" || say "STILL RUNNING after $SECONDS s: $name"
  done
  ps -e -o pid,ppid,etimes,stat,args --forest | cut -c1-200
}

# What one failed test printed.
printed() { sed -n "/^---- $1 stdout ----\$/,/^\(---- .* stdout ----\|failures:\)\$/p" "$scratch/stdout"; }

# One or two tests of hundreds may have failed because the lab did: a host that did not boot says so (tests/lab/boot.rs),
# and gets a second try with nobody beside it. Any other test that passes at its second try fails the suite all the
# same: it is flaky, which is a defect, its own or the product's. More than two are no accident.
alone() {
  local names name lab flaky=
  names=$(sed -n '/^failures:$/,/^test result/s/^    \([A-Za-z0-9_:]*\)$/\1/p' "$scratch/stdout" | sort -u)
  [ -n "$names" ] && [ "$(wc -l <<<"$names")" -le 2 ] || return 1
  # Before the second try: its output replaces this one. grep reads all: with pipefail, a sed that dies at a closed pipe counts.
  lab=$(for name in $names; do printed "$name" | grep '^LAB FAILED: ' >/dev/null && echo "$name"; done) || :
  for name in $names; do
    say "== $name failed: once more, alone"
    cargo_test --test it -- --test-threads=1 --exact "$name" || return 1
    grep -q "^test $name \.\.\. ok" "$scratch/stdout" || return 1
    if grep -qxF "$name" <<<"$lab"; then echo "$name" >>"$scratch/shaky"; else flaky="$flaky $name"; fi
  done
  [ -z "$flaky" ] || { say "FLAKY, passed at the second try:$flaky"; return 1; }
}

# stage NAME FUNCTION: runs it, with a line before and one after. `errexit` holds inside, and the trap says
# where it ended; a call in a condition would turn both off.
stage() {
  local start=$SECONDS
  current=$1
  say "== $1"
  "$2"
  say "== $1: ok, $((SECONDS - start)) s"
}

ended() {
  local status=$?
  rm -rf "$scratch"
  [ $status -eq 0 ] || [ -z "$current" ] || say "FAILED in: $current (alone: scripts/test.sh $current)"
  exit $status
}

features=()
[ "${CI:-}" != true ] || features=(--no-default-features)
current=
scratch=$(mktemp -d)
trap ended EXIT
[ $# -gt 0 ] || set -- fmt clippy deny scripts doc test
for name in "$@"; do
  case $name in
    fmt | clippy | deny | scripts | doc | test) ;;
    *) die "no such stage: $name (fmt clippy deny scripts doc test)" ;;
  esac
done
needs
rust
for name in "$@"; do
  if [ "$name" = test ]; then stage test tests; else stage "$name" "$name"; fi
done
left_out=$(grep -c '^LEFT OUT' "$scratch/stderr" 2>/dev/null) || left_out=0
but=
[ "$left_out" -eq 0 ] || but=", BUT $left_out tests were left out, see LEFT OUT above"
[ ! -e "$scratch/shaky" ] || but="$but, BUT at the second try only, since the lab failed: $(paste -sd ' ' "$scratch/shaky")"
[ ! -e "$scratch/undenied" ] || but="$but, BUT deny.toml was not checked: cargo-deny is not installed"
say "all passed in $SECONDS s$but"
