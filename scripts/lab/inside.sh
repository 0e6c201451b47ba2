# shellcheck shell=sh
# Runs once inside a new image, as root, with no systemd alive: users, sshd, and nothing that slows a boot.
set -eu

person() { # NAME SHELL: somebody who logs in with the lab's key
  useradd --create-home --shell "$2" "$1"
  # A locked password ("!") makes sshd refuse the key of some configurations; "*" is no password at all.
  usermod -p '*' "$1"
}
person deploy /bin/bash
person deploydash /bin/dash
person deployfish /usr/bin/fish
person deploytcsh /usr/bin/tcsh
person admin /bin/bash
useradd --system --no-create-home --shell /usr/sbin/nologin app
printf 'admin ALL=(ALL) NOPASSWD: ALL\n' >/etc/sudoers.d/lab-admin
chmod 0440 /etc/sudoers.d/lab-admin

# Every host gets its own keys at boot; the lab's public key opens all doors beside each user's own file.
rm -f /etc/ssh/ssh_host_*
printf 'AuthorizedKeysFile .ssh/authorized_keys /etc/ssh/lab_keys\n' >/etc/ssh/sshd_config.d/lab.conf

# Persistent journal: what happened before a power cut can be read after it.
mkdir -p /var/log/journal

systemctl disable nginx.service haproxy.service
# Only with apps.
[ ! -e /lib/systemd/system/caddy.service ] || systemctl disable caddy.service
systemctl mask console-getty.service getty@.service apt-daily.timer apt-daily-upgrade.timer \
  dpkg-db-backup.timer e2scrub_all.timer man-db.timer fstrim.timer systemd-firstboot.service \
  e2scrub_reap.service
rm -f /etc/machine-id /var/lib/dbus/machine-id
: >/etc/machine-id
