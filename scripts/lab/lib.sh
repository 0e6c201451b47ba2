# shellcheck shell=bash
# The lab's own words: where things are, who owns a host, what runs in it. Sourced by the scripts beside it.
#
# A host is one directory under $hosts, named like the host:
#   owner      "PID START" of the process that booted it, or "person": nobody sweeps that one
#   suite image cgroup address gateway   one line each
#   id_ed25519 known_hosts        the key that opens it, and how it proves itself
#   upper work root               the overlay: what this host wrote, and the mounted whole
#   disk.img opt                  only with a small disk: an ext4 of that size, mounted over /opt
#   disk.img disk                 only with a disk of its own: an ext4 that holds upper and work
#   console                       what its first process said
# Its processes live in a cgroup of its name, made by mkdir: that is the machine-wide claim to name, link
# and addresses, and the list of what to kill, which no re-used process id can falsify.

lab=${SHIPIT_LAB_DIR:-/var/cache/shipit-lab}
# shellcheck disable=SC2034 # for those who source this
images=$lab/images hosts=$lab/hosts

# The hierarchy that systemd-nspawn keeps its processes in: hybrid, then unified, then legacy.
cgroup=
for at in /sys/fs/cgroup/unified /sys/fs/cgroup /sys/fs/cgroup/systemd; do
  if [ -e "$at/cgroup.procs" ]; then
    cgroup=$at/shipit-lab
    break
  fi
done
# On a hybrid machine the container's first process also sits here.
legacy=
if [ -e /sys/fs/cgroup/systemd/cgroup.procs ] && [ "$cgroup" != /sys/fs/cgroup/systemd/shipit-lab ]; then
  legacy=/sys/fs/cgroup/systemd/shipit-lab
fi

# birth PID: when that process started, in clock ticks since boot (proc(5), field 22); fails if there is none.
birth() {
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  stat=${stat##*) }
  # shellcheck disable=SC2086 # split into fields on purpose
  set -- $stat
  # A zombie holds nothing any more.
  [ "$1" != Z ] || return 1
  printf '%s\n' "${20}"
}

# owned DIR: whether the owner of that host is alive, or a person.
owned() {
  local pid start
  read -r pid start <"$1/owner" || return 1
  [ "$pid" = person ] || [ "$(birth "$pid")" = "$start" ]
}

# processes NAME: every process of that host, nspawn itself too.
processes() {
  [ ! -d "$cgroup/$1" ] || find "$cgroup/$1" -name cgroup.procs -exec cat {} + 2>/dev/null || :
}

# leader NAME: the process that is number 1 inside; fails if the host is off.
leader() {
  local nspawn pid=
  read -r nspawn 2>/dev/null <"$cgroup/$1/supervisor/cgroup.procs" || return 1
  # The kernel ends that line with a space: for `read` it is unfinished.
  read -r pid _ 2>/dev/null <"/proc/$nspawn/task/$nspawn/children" || :
  [ -n "$pid" ] && printf '%s\n' "$pid"
}

# leave_cgroup NAME: gives the claim back; the directories must be empty of processes.
leave_cgroup() {
  local at
  for at in $legacy $cgroup; do
    [ ! -d "$at/$1" ] || find "$at/$1" -depth -type d -exec rmdir {} + 2>/dev/null || :
  done
}
