# shellcheck shell=bash
# shellcheck disable=SC2154 # root, cache, runtime_packages and image_packages are set by the scripts that source this
# Sourced: the disk image of a virtual machine, as a fresh Debian with systemd and an ssh key of this cache. Programs are
# installed here, where the processor is not emulated; mini-kubelet itself is not.

# dbus and the init system, as in every Debian that was installed by its installer.
machine_packages=(systemd-sysv dbus linux-image-cloud-amd64 initramfs-tools openssh-server netbase kmod procps jq)

# What the image depends on. The newest versions of the archive come with the next image; remove the cache for one.
image_key() {
  {
    echo "$1 ${machine_packages[*]} ${runtime_packages[*]} ${image_packages[*]}"
    cat "${BASH_SOURCE[0]}"
  } | sha256sum | cut -c 1-16
}

image_path() { echo "$cache/images/$1-$(image_key "$1")"; }

# provide_image CODENAME: prints the directory with disk.raw, vmlinuz, initrd.img, ssh_key and known_hosts.
provide_image() {
  local codename=$1 image work
  image=$(image_path "$codename")
  mkdir -p "$cache/images"
  exec 8>"$cache/images/lock"
  flock 8
  if [ ! -d "$image" ]; then
    work=$(mktemp -d "$cache/images/work.XXXXXX")
    # shellcheck disable=SC2064 # the directory of now
    trap "rm -rf '$work'" EXIT
    build_image "$codename" "$work"
    find "$cache/images" -maxdepth 1 -name "$codename-*" -exec rm -rf {} +
    rm -rf "$work/tree"
    mv "$work" "$image"
    trap - EXIT
  fi
  exec 8>&-
  echo "$image"
}

build_image() {
  local codename=$1 work=$2 packages
  packages=$(IFS=,; echo "${machine_packages[*]},${runtime_packages[*]},${image_packages[*]}")
  step "making a disk image of Debian $codename; this takes minutes, once"
  # debootstrap names each of its thousand steps.
  debootstrap --variant=minbase --include="$packages" "$codename" "$work/tree" "$(apt_archive)" \
    >"$work/debootstrap.log" 2>&1 || {
    tail -n 20 "$work/debootstrap.log" >&2
    fail "debootstrap failed" "its last messages are above; is the archive in reach?"
  }
  configure_tree "$work/tree" "$work"
  cp "$work/tree"/boot/vmlinuz-* "$work/vmlinuz"
  cp "$work/tree"/boot/initrd.img-* "$work/initrd.img"
  # Fills the file system without mounting it: containers often have no loop devices.
  truncate --size=8G "$work/disk.raw"
  mke2fs -q -t ext4 -L root -d "$work/tree" "$work/disk.raw"
}

configure_tree() {
  local tree=$1 keys=$2
  ssh-keygen -q -t ed25519 -N '' -C mini-kubelet-vm -f "$keys/ssh_key"
  install -d -m 0700 "$tree/root/.ssh"
  install -m 0600 "$keys/ssh_key.pub" "$tree/root/.ssh/authorized_keys"
  echo "vm $(cut -d' ' -f1,2 "$tree/etc/ssh/ssh_host_ed25519_key.pub")" >"$keys/known_hosts"

  echo mini-kubelet >"$tree/etc/hostname"
  printf '127.0.0.1 localhost\n127.0.1.1 mini-kubelet\n' >"$tree/etc/hosts"
  mkdir -p "$tree/vagrant/node_modules"
  printf '%s\n' 'LABEL=root / ext4 errors=remount-ro 0 1' 'LABEL=modules /vagrant/node_modules ext4 ro 0 0' \
    >"$tree/etc/fstab"
  # qemu's user network has its name server there.
  echo 'nameserver 10.0.2.3' >"$tree/etc/resolv.conf"
  printf '[Match]\nName=eth0\n[Network]\nDHCP=ipv4\n' >"$tree/etc/systemd/network/eth0.network"
  # The journal is what tells why something failed: it has to survive a reboot.
  mkdir -p "$tree/var/log/journal"
  chroot "$tree" systemctl --quiet enable systemd-networkd systemd-networkd-wait-online
  chroot "$tree" systemctl --quiet mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer fstrim.timer \
    e2scrub_all.timer e2scrub_reap.service
  rm -f "$tree"/var/cache/apt/archives/*.deb
}
