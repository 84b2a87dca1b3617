# shellcheck shell=bash
# shellcheck disable=SC2154 # state, cache, codename and root are set by the script that sources this
# Sourced: one running virtual machine. Everything about it is in the directory $state: its disk, its pid, its ports.

modules_are_current() { [ "$(readlink "$state/modules.raw")" = "$(modules_path)" ]; }

machine_runs() { pid_file_alive "$state/qemu.pid" "$state/disk.qcow2"; }

# Boots the machine's disk, made from an image if there is none, and waits for ssh.
start_machine() {
  local image
  mkdir -p "$state"
  if [ ! -f "$state/disk.qcow2" ]; then
    image=$(provide_image "$codename")
    ln -sfn "$image" "$state/image"
    qemu-img create -q -f qcow2 -b "$image/disk.raw" -F raw "$state/disk.qcow2"
  elif [ "$(readlink "$state/image")" != "$(image_path "$codename")" ]; then
    note "this machine's disk was made from an older image: '$0 down' before '$0 up' makes a new one"
  fi
  provide_modules_disk
  choose_ports
  . "$state/ports"
  step "booting the virtual machine; its console is $state/console.log"
  boot_with_kvm || {
    run_qemu "$emulated"
    wait_until 900 machine_answers || :
  }
  machine_answers || {
    tail -n 5 "$state/qemu.log" "$state/console.log" >&2
    fail "the virtual machine does not boot" "look at its console: $state/console.log"
  }
}

# run_qemu PROCESSOR: starts the machine; PROCESSOR are qemu's options for it.
run_qemu() {
  # A kernel with its initrd needs no boot loader in the image. It defends nobody here: its mitigations only cost time.
  (
    ulimit -c 0
    # shellcheck disable=SC2086 # several options
    exec setsid qemu-system-x86_64 $1 -smp 2 -m 2048 -nodefaults -display none \
      -kernel "$state/image/vmlinuz" -initrd "$state/image/initrd.img" \
      -append "root=LABEL=root rw console=ttyS0 net.ifnames=0 systemd.unified_cgroup_hierarchy=1 mitigations=off panic=1" \
      -drive "if=virtio,format=qcow2,file=$state/disk.qcow2,discard=unmap" \
      -drive "if=virtio,format=raw,file=$state/modules.raw,readonly=on" \
      -netdev "user,id=net,hostfwd=tcp:127.0.0.1:$ssh_port-:22,hostfwd=tcp:127.0.0.1:$api_port-:10250" \
      -device virtio-net-pci,netdev=net -device virtio-rng-pci \
      -serial "file:$state/console.log" -qmp "unix:$state/qmp.sock,server=on,wait=off" \
      -pidfile "$state/qemu.pid" </dev/null >"$state/qemu.log" 2>&1
  ) &
  # Its end is found out by its pid; bash would print the whole command.
  disown
}

# Without what is costly to emulate: with protection keys each piece of code that Node.js compiles flushes all address
# translations, twice.
emulated="-accel tcg,thread=multi -cpu max,pku=off,la57=off"

# Boots with the processor's own virtualization, where that works. A nested KVM may run a boot sector and yet not all
# instructions of a kernel. It then stands still; qemu says so, or the kernel does not get to its first line.
boot_with_kvm() {
  [ ! -e "$state/no-kvm" ] && [ -w /dev/kvm ] && kvm_runs || return 1
  rm -f "$state/console.log"
  run_qemu "-accel kvm -cpu host"
  if wait_until 30 test -s "$state/console.log"; then
    wait_until 900 machine_answers_or_kvm_fails || :
    kvm_has_failed || return 0
  fi
  note "KVM cannot run this kernel here: booting anew with an emulated processor"
  kill_machine
  touch "$state/no-kvm"
  return 1
}

# /dev/kvm may be there, be opened, and yet run nothing (a virtual machine in one that has no nesting). So a boot sector
# is run that does nothing but end qemu: mov dx, 0x501; mov al, 16; out dx, al. The exit code is then 2 * 16 + 1.
kvm_runs() {
  local sector code=0
  sector=$(mktemp)
  { printf '\xba\x01\x05\xb0\x10\xee'; head -c 504 /dev/zero; printf '\x55\xaa'; } >"$sector"
  (
    ulimit -c 0
    exec timeout 10 qemu-system-x86_64 -accel kvm -cpu host -nodefaults -display none -no-reboot \
      -device isa-debug-exit,iobase=0x501,iosize=1 -drive "if=floppy,format=raw,file=$sector"
  ) </dev/null >/dev/null 2>&1 || code=$?
  rm -f "$sector"
  [ "$code" -eq 33 ]
}

kvm_has_failed() { grep -qs '^KVM internal error' "$state/qemu.log"; }

machine_answers_or_kvm_fails() { kvm_has_failed || machine_answers; }

modules_path() { echo "$cache/modules-$(sha256sum <"$root/package-lock.json" | cut -c 1-16).raw"; }

# node_modules as a disk of its own: large, seldom changed, and slow through ssh into an emulated machine.
provide_modules_disk() {
  local disk
  disk=$(modules_path)
  if [ ! -f "$disk" ]; then
    find "$cache" -maxdepth 1 -name 'modules-*' -delete
    truncate --size=2G "$disk.new"
    mke2fs -q -t ext4 -O '^has_journal' -L modules -d "$root/node_modules" "$disk.new"
    mv "$disk.new" "$disk"
  fi
  ln -sfn "$disk" "$state/modules.raw"
}

# Ports of this host that lead to the machine's ssh and to its API.
choose_ports() {
  node -e '
    const { createServer } = require("node:net");
    const servers = ["ssh_port", "api_port"].map((name) => [name, createServer().listen(0, "127.0.0.1")]);
    Promise.all(servers.map(([, s]) => new Promise((done) => s.once("listening", done)))).then(() => {
      for (const [name, s] of servers) { console.log(`${name}=${s.address().port}`); s.close(); }
    });' >"$state/ports"
}

# in_machine COMMAND...: runs a command there as root; a shell without one.
in_machine() {
  . "$state/ports"
  ssh -F none -i "$state/image/ssh_key" -o "UserKnownHostsFile=$state/image/known_hosts" -o HostKeyAlias=vm \
    -o IdentitiesOnly=yes -o LogLevel=ERROR -o ConnectTimeout=20 -o ServerAliveInterval=10 \
    -o ControlMaster=auto -o ControlPersist=60 -o "ControlPath=$state/ssh" -p "$ssh_port" root@127.0.0.1 "$@"
}

machine_answers() {
  machine_runs || return 1
  in_machine true </dev/null >/dev/null 2>&1
}

# The copy of the project in the machine is replaced as a whole. It comes built: here the processor is a real one.
push_project() {
  # tar's code 1: a file was changed while it was read. Whoever works on the project may go on.
  (cd "$root" && { tar --create --exclude=./node_modules --exclude=./.git --exclude=./.tap --exclude=./.cache --exclude=./packages . || [ $? -eq 1 ]; }) |
    in_machine 'find /vagrant -mindepth 1 -maxdepth 1 ! -name node_modules -exec rm -rf {} + && tar -x -C /vagrant'
}

# stop_machine: asks it to power off, and ends it when it does not.
stop_machine() {
  local pid
  machine_runs || return 0
  read -r pid <"$state/qemu.pid"
  in_machine 'systemctl poweroff' </dev/null >/dev/null 2>&1 || :
  wait_until 120 process_ended "$pid" || kill_machine
}

# What a power failure does: nothing is written any more. The disk stays.
kill_machine() {
  local pid
  machine_runs || return 0
  read -r pid <"$state/qemu.pid"
  kill -9 "$pid"
  wait_until 10 process_ended "$pid"
}
