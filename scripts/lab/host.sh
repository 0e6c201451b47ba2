#!/usr/bin/env bash
# One lab host: up, boot, cut, down; and sweep, for those whose owner died. Root only.
#   host.sh up SUITE OWNER [DISK]   makes and boots a host, prints its directory
#                                   OWNER: a process id, or `person`
#                                   DISK: 40M, an ext4 of that size over /opt; or all:400M, one under all that the
#                                   host writes: what is not flushed is lost in a power cut, as on a real machine
#   host.sh boot DIR                boots it (again) and waits until people may log in
#   host.sh cut DIR                 power cut: the link first, so that nobody hears a goodbye, then the disk of its
#                                   own, then SIGKILL; the disk is there for us to look at, as the host will find it
#   host.sh down DIR                takes it away with all it wrote
#   host.sh leader DIR              prints the process that is number 1 inside
#   host.sh sweep                   takes away every host whose owner is dead
#   host.sh watch PID               waits for that process to end, then sweeps
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=SCRIPTDIR/../lib.sh
. "$here/../lib.sh"
# shellcheck source=SCRIPTDIR/lib.sh
. "$here/lib.sh"

# Makes the directory aside and publishes it, owner included, under the first free name: a host without an
# owner never exists, so sweep cannot mistake one that is being made.
up() {
  local suite=$1 owner=$2 disk=${3:-} image new index name tries=0 inotify=/proc/sys/fs/inotify/max_user_instances
  # The processes of root on all hosts are one user to the kernel, and share its inotify instances: about ten for each
  # host. A host that gets none for its path unit refuses every switch.
  [ "$(cat $inotify)" -ge 1024 ] || echo 1024 >$inotify
  image=$("$here/image.sh" "$suite")
  mkdir -p "$hosts" "$cgroup" ${legacy:+"$legacy"}
  new=$(mktemp -d "$hosts/.new-XXXXXX")
  [ "$owner" = person ] || owner="$owner $(birth "$owner")" || die "no such owner: $owner"
  printf '%s\n' "$owner" >"$new/owner"
  printf '%s\n' "$suite" >"$new/suite"
  printf '%s\n' "$image" >"$new/image"
  mkdir -p "$new/work" "$new/root" "$new/upper/etc/ssh"
  # Each host has a /30 of its own out of 10.213.0.0/16: 16384 of them. Starting at random keeps those who
  # boot at the same time apart; the mkdir decides.
  index=$(((RANDOM * 32768 + RANDOM) % 16384))
  while :; do
    name=sl$index
    if mkdir "$cgroup/$name" 2>/dev/null; then
      if [ ! -e "/sys/class/net/ve-$name" ] && mv -T "$new" "$hosts/$name" 2>/dev/null; then break; fi
      rmdir "$cgroup/$name"
      [ -d "$new" ] || die "owner $owner died, and its unfinished host was swept"
    fi
    tries=$((tries + 1))
    [ $tries -lt 16384 ] || die "no free address left in 10.213.0.0/16"
    index=$(((index + 1) % 16384))
  done
  printf '%s\n' "$cgroup/$name" >"$hosts/$name/cgroup"
  printf '10.213.%d.%d\n' $((index >> 6)) $(((index & 63) * 4 + 1)) >"$hosts/$name/gateway"
  printf '10.213.%d.%d\n' $((index >> 6)) $(((index & 63) * 4 + 2)) >"$hosts/$name/address"
  # shellcheck disable=SC2064 # the name of now
  trap "down '$hosts/$name'" EXIT
  furnish "$hosts/$name" "$disk"
  boot "$hosts/$name"
  # As if it had been on for long.
  sync -f "$hosts/$name/upper/"
  # Who died meanwhile was swept for the last time, perhaps before this host had a name.
  owned "$hosts/$name" || die "owner $owner died while $name was booting"
  trap - EXIT
  printf '%s\n' "$hosts/$name"
}

# furnish DIR DISK: keys, names, and the disk.
furnish() {
  local dir=$1 disk=$2 name etc kind address
  name=$(basename "$dir")
  case $disk in all:*) own_disk "$dir" "${disk#all:}" && disk='' ;; esac
  etc=$dir/upper/etc
  address=$(cat "$dir/address")
  ssh-keygen -q -t ed25519 -N '' -C "$name" -f "$dir/id_ed25519"
  cp "$dir/id_ed25519.pub" "$etc/ssh/lab_keys"
  for kind in ed25519 ecdsa; do
    ssh-keygen -q -t "$kind" -N '' -C "root@$name" -f "$etc/ssh/ssh_host_${kind}_key"
    printf '%s %s\n' "$address" "$(cut -d' ' -f1,2 "$etc/ssh/ssh_host_${kind}_key.pub")" >>"$dir/known_hosts"
  done
  printf '%s\n' "$name" >"$etc/hostname"
  printf '127.0.0.1 localhost\n127.0.1.1 %s\n' "$name" >"$etc/hosts"
  tr -d - </proc/sys/kernel/random/uuid >"$etc/machine-id"
  [ -n "$disk" ] || return 0
  mkdir "$dir/opt"
  truncate -s "$disk" "$dir/disk.img"
  # No blocks kept back for root, and few inodes: full is full for everybody, and is soon reached.
  mkfs.ext4 -q -b 4096 -m 0 -N 2048 -E root_owner=0:0 "$dir/disk.img"
}

# own_disk DIR SIZE: what the host writes goes to an ext4 of its own.
own_disk() {
  mkdir "$1/disk"
  truncate -s "$2" "$1/disk.img"
  mkfs.ext4 -q -b 4096 -m 0 -E root_owner=0:0,lazy_journal_init=1 "$1/disk.img"
  mount_own_disk "$1"
  mv "$1/upper" "$1/work" "$1/disk"
  ln -s disk/upper disk/work "$1"
}

# ext4 hides a missing flush in two ways: it writes its journal every 5 s, and a file that is renamed over another
# (Documentation/admin-guide/ext4.rst: commit, auto_da_alloc). Here nothing lasts but what somebody flushed.
mount_own_disk() { mount -o loop,commit=3600,noauto_da_alloc,noinit_itable "$1/disk.img" "$1/disk"; }

# The disk as a power cut leaves it. EXT4_IOC_SHUTDOWN without a flush of the log (fs/ext4/ioctl.c, flag 2) is the
# end of all writing; the next mount replays the journal. It is a copy of the image that is mounted next, as a
# mount is over only when every mount namespace has let go of it, and a host that boots just now holds one.
forget_unflushed() {
  local dir=$1
  # shellcheck disable=SC2016 # perl's own
  perl -e 'my $how = pack("L", 2); open(DISK, "<", $ARGV[0]) && ioctl(DISK, 0x8004587D, $how) or die "$ARGV[0]: $!\n"' \
    "$dir/disk"
  halt "$dir"
  unmount "$dir/root"
  unmount "$dir/disk"
  cp --sparse=always "$dir/disk.img" "$dir/disk.img.new"
  mv -T "$dir/disk.img.new" "$dir/disk.img"
  mount_disks "$dir"
}

# mounted PATH: whether something is mounted there.
mounted() { mountpoint -q "$1"; }

unmount() { ! mounted "$1" || umount "$1" 2>/dev/null || umount --lazy "$1"; }

mount_disks() {
  local dir=$1
  [ ! -d "$dir/disk" ] || mounted "$dir/disk" || mount_own_disk "$dir"
  [ ! -d "$dir/opt" ] || mounted "$dir/opt" || mount -o loop "$dir/disk.img" "$dir/opt"
  mounted "$dir/root" || mount -t overlay shipit-lab "$dir/root" \
    -o "lowerdir=$(cat "$dir/image"),upperdir=$dir/upper,workdir=$dir/work"
}

# Mounts and link as they were left, or made now: after a power cut they are still there.
connect() {
  local dir=$1 name
  name=$(basename "$dir")
  mount_disks "$dir"
  if [ ! -e "/run/netns/$name" ]; then
    ip netns add "$name"
    ip link add "ve-$name" type veth peer name host0 netns "$name"
    ip addr add "$(cat "$dir/gateway")/30" dev "ve-$name"
    ip -n "$name" -batch - <<END
addr add $(cat "$dir/address")/30 dev host0
link set lo up
link set host0 up
route add default via $(cat "$dir/gateway")
END
  fi 2>"$dir/console" || die "cannot make the link of $name: $(cat "$dir/console")"
  ip link set "ve-$name" up
}

boot() {
  local dir=$1 name address at tries=0 pid bind=()
  name=$(basename "$dir")
  address=$(cat "$dir/address")
  connect "$dir"
  [ ! -d "$dir/opt" ] || bind=(--bind="$dir/opt:/opt")
  # The unified hierarchy is what Debian boots with, and systemd from 256 on takes no other. NET_ADMIN is
  # theirs within their own network. The link is a namespace of ours, not nspawn's, so that it outlives
  # reboots and power cuts, and a cut can be silent. 133 is nspawn's word for: it wants to be rebooted.
  (
    for at in $legacy $cgroup; do
      mkdir -p "$at/$name"
      printf '%s\n' "$BASHPID" >"$at/$name/cgroup.procs"
    done
    exec env -i PATH="$PATH" SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 setsid sh -c \
      'while "$@"; [ $? -eq 133 ]; do :; done' again systemd-nspawn --quiet --register=no --keep-unit --boot \
      --directory="$dir/root" --machine="$name" --network-namespace-path="/run/netns/$name" \
      --capability=CAP_NET_ADMIN --link-journal=no --resolv-conf=off --timezone=off "${bind[@]}" \
      </dev/null >"$dir/console" 2>&1
  ) &
  pid=$!
  # sshd's greeting is there before people may log in: pam_nologin keeps them out until boot is done.
  # shellcheck disable=SC2016 # expanded by the inner bash
  until timeout 1 bash -c 'exec 3<>"/dev/tcp/$0/22" && read -r -n 4 hello <&3 && [ "$hello" = SSH- ]' \
    "$address" 2>/dev/null && [ ! -e "/proc/$(leader "$name")/root/run/nologin" ]; do
    kill -0 $pid 2>/dev/null || die "$name did not start: $(tail -n 5 "$dir/console")"
    tries=$((tries + 1))
    [ $tries -lt 400 ] || die "$name does not answer on port 22: $(tail -n 20 "$dir/console")"
    sleep 0.05
  done
}

# Kills all that runs in the host, and sees it gone.
halt() {
  local name pid tries=0
  name=$(basename "$1")
  while [ -n "$(processes "$name")" ]; do
    for pid in $(processes "$name"); do kill -KILL "$pid" 2>/dev/null || :; done
    tries=$((tries + 1))
    [ $tries -lt 500 ] || die "processes of $name do not die"
    sleep 0.02
  done
}

cut_power() {
  ip link set "ve-$(basename "$1")" down
  if [ -d "$1/disk" ]; then forget_unflushed "$1"; else halt "$1"; fi
}

down() {
  local dir=$1 name at
  name=$(basename "$dir")
  halt "$dir"
  for at in root opt disk; do unmount "$dir/$at"; done
  [ ! -e "/run/netns/$name" ] || ip netns del "$name"
  [ ! -e "/sys/class/net/ve-$name" ] || ip link del "ve-$name" 2>/dev/null || :
  # Out of sight first: a host that is half taken away has no name.
  [ ! -d "$dir" ] || mv -T "$dir" "$hosts/.del-$name-$$"
  leave_cgroup "$name"
  rm -rf "$hosts/.del-$name-$$"
}

sweep() {
  local dir
  mkdir -p "$hosts"
  exec 9>"$lab/sweep.lock"
  flock 9
  for dir in "$hosts"/*/ "$hosts"/.new-*/ ; do
    dir=${dir%/}
    [ -d "$dir" ] || continue
    # One that is made just now has no owner for a moment.
    [ -s "$dir/owner" ] || [ -n "$(find "$dir" -maxdepth 0 -mmin +10)" ] || continue
    ! owned "$dir" || continue
    case $dir in
      */.new-*) rm -rf "$dir" ;;
      *) down "$dir" ;;
    esac
  done
}

verb=$1
shift
[ "$(id -u)" -eq 0 ] || die "the lab needs root"
case $verb in
  cut) cut_power "$@" ;;
  up | boot | down | sweep) "$verb" "$@" ;;
  leader) leader "$(basename "$1")" ;;
  watch)
    tail --pid="$1" -s 0.5 -f /dev/null
    sweep
    ;;
  *) die "no such verb: $verb" ;;
esac
