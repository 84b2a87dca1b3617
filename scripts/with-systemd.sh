#!/usr/bin/env bash
# Runs a command where systemd is the init process: right here if it is, else in namespaces with a systemd of their own.
# There the files are those of this machine; /etc (a copy that is thrown away), /run, the network and the processes are
# not. All ends with the command.
#
# usage: sudo scripts/with-systemd.sh COMMAND [ARGUMENT]...
set -Eeuo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/scripts/lib/say.sh"
. "$root/scripts/lib/packages.sh"

# The hierarchies of cgroups of this machine: directory, type and options of each.
hierarchies() { awk '$3 ~ /^cgroup2?$/ && $2 ~ /^\/sys\/fs\/cgroup/ { print $2, $3, $4 }' /proc/mounts; }

# What systemd is to know here: none of the units of this machine.
write_units() {
  mkdir -p "$1"
  local target
  for target in sysinit basic default shutdown network; do
    printf '[Unit]\nDefaultDependencies=no\n' >"$1/$target.target"
  done
  # systemd looks for the bus by these names.
  cat >"$1/dbus.socket" <<'UNIT'
[Unit]
DefaultDependencies=no
[Socket]
ListenStream=/run/dbus/system_bus_socket
UNIT
  cat >"$1/dbus.service" <<'UNIT'
[Unit]
DefaultDependencies=no
Requires=dbus.socket
[Service]
Type=notify
ExecStart=/usr/bin/dbus-daemon --system --address=systemd: --nofork --nopidfile --systemd-activation
UNIT
}

# In the new namespaces, as the first process of them. $1 is a directory for what is thrown away.
become_init() {
  local scratch=$1 mounts directory type options
  mount --make-rprivate /
  mkdir "$scratch/etc" "$scratch/etc-work"
  # systemd may write there at its first start.
  mount -t overlay -o "lowerdir=/etc,upperdir=$scratch/etc,workdir=$scratch/etc-work" overlay /etc
  mount -t proc proc /proc
  # Each as it is mounted on this machine, from where this process is in it.
  mounts=$(hierarchies)
  mount -t sysfs sysfs /sys
  if [ "$(wc -l <<<"$mounts")" -gt 1 ]; then mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup; fi
  while read -r directory type options; do
    mkdir -p "$directory"
    # Of a version 1 the controllers, or the name of a hierarchy without one.
    options=$(tr , '\n' <<<"$options" | { grep -vE '^(rw|ro|relatime|no[a-z]+|xattr|release_agent=.*)$' || :; } | paste -sd,)
    if [ "$type" = cgroup2 ]; then options=; fi
    case $options in name=*) options=none,$options ;; esac
    mount -t "$type" ${options:+-o "$options"} cgroup "$directory"
  done <<<"$mounts"
  mount -t tmpfs -o mode=755 tmpfs /run
  mkdir -p /run/dbus /run/lock
  write_units /run/mini-kubelet-test/units
  # An address that is the machine's, and a way to those of pods before there is a bridge.
  ip link set lo up
  ip link add node0 type veth peer name elsewhere0
  ip address add 192.0.2.1/24 dev node0
  ip link set node0 up
  ip link set elsewhere0 up
  ip route add default via 192.0.2.254
  exec env -i container=mini-kubelet PATH="$PATH" SYSTEMD_UNIT_PATH=/run/mini-kubelet-test/units \
    /lib/systemd/systemd --system --unit=default.target --log-target=console --show-status=no
}

# Each hierarchy gets a cgroup of its own for systemd and all that it starts.
enter_cgroups() {
  local hierarchy
  while read -r hierarchy _; do
    mkdir "$hierarchy/$1"
    if [ -e "$hierarchy/cpuset.cpus" ]; then
      cat "$hierarchy/cpuset.cpus" >"$hierarchy/$1/cpuset.cpus"
      cat "$hierarchy/cpuset.mems" >"$hierarchy/$1/cpuset.mems"
    fi
    echo $BASHPID >"$hierarchy/$1/cgroup.procs"
  done < <(hierarchies)
}

remove_cgroups() {
  local hierarchy
  while read -r hierarchy _; do
    find "$hierarchy/$1" -depth -type d -exec rmdir {} + 2>/dev/null || note "left: $hierarchy/$1"
  done < <(hierarchies)
}

in_namespaces() { nsenter --target "$init" --mount --pid --uts --ipc --net --cgroup --wdns="$PWD" -- "$@"; }

init_answers() { in_namespaces systemctl start dbus.service 2>/dev/null; }

if [ "${1:-}" = --become-init ]; then become_init "$2"; fi
[ $# -gt 0 ] || usage
require_root
if systemd_runs; then exec "$@"; fi

apt_install systemd dbus-daemon iproute2 util-linux
name=mini-kubelet-systemd-$$
scratch=$(mktemp -d "/tmp/$name.XXXXXX")
init=
clean_up() {
  # The end of the first process is the end of all in its namespace.
  if [ -n "$init" ]; then kill -9 "$init" && wait_until 20 test ! -d "/proc/$init"; fi
  umount "$scratch"
  rmdir "$scratch"
  remove_cgroups "$name"
}
trap clean_up EXIT
mount -t tmpfs -o mode=700 tmpfs "$scratch"
(
  enter_cgroups "$name"
  # It ends with this script, however that ends.
  exec setsid setpriv --pdeathsig KILL unshare --kill-child --mount --pid --fork --uts --ipc --net --cgroup \
    --propagation unchanged "${BASH_SOURCE[0]}" --become-init "$scratch" </dev/null >"$scratch/log" 2>&1
) &
parent=$!
# unshare's child is the first process of the namespace; it is systemd as soon as it has mounted all.
init_is_systemd() {
  init=$(pgrep --parent "$parent" || :)
  [ -n "$init" ] && [ "$(readlink "/proc/$init/exe")" = "$(readlink -f /lib/systemd/systemd)" ]
}
wait_until 30 init_is_systemd && wait_until 30 init_answers || {
  cat "$scratch/log" >&2
  fail "systemd does not start in namespaces of its own"
}
in_namespaces "$@" || exit $?
