#!/usr/bin/env bash
# A virtual machine with Debian, systemd and cgroup v2 that has mini-kubelet installed as a service: what `vagrant up`
# does, with nothing but qemu and the Debian archive. On a machine without KVM the processor is emulated: slow, but good.
#
# usage: sudo scripts/vm.sh up              make and boot it, and install this checkout with scripts/install.sh
#        sudo scripts/vm.sh test [FILE]...  run the tests of test/vm/ against it
#        sudo scripts/vm.sh ssh [COMMAND]...
#        sudo scripts/vm.sh kill            end it as a power failure does; the disk stays
#        sudo scripts/vm.sh start           boot the disk as it is
#        sudo scripts/vm.sh down            stop it and throw the disk away
#        sudo scripts/vm.sh state           print the directory with its files
# MINI_KUBELET_VM_DEBIAN=bookworm (12, the default) or trixie (13) says which one; there may be one of each.
set -Eeuo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/scripts/lib/say.sh"
. "$root/scripts/lib/packages.sh"
. "$root/scripts/lib/node.sh"
. "$root/scripts/lib/runtime.sh"
. "$root/scripts/vm/image.sh"
. "$root/scripts/vm/machine.sh"

codename=${MINI_KUBELET_VM_DEBIAN:-bookworm}
cache=${MINI_KUBELET_CACHE:-${XDG_CACHE_HOME:-/var/cache}/mini-kubelet-test}/vm
state=$cache/$codename

provision() {
  step "building and copying the project"
  (cd "$root" && as_owner node scripts/build.ts)
  push_project
  in_machine /vagrant/scripts/vm/provision.sh
}

require_machine() {
  machine_runs || fail "the virtual machine does not run" "start it: MINI_KUBELET_VM_DEBIAN=$codename $0 up"
}

# Read as a whole before it runs, since it waits for long and somebody may edit it meanwhile.
main() {
  [ "$(uname -m)" = x86_64 ] || fail "this makes x86_64 machines only" "on others use vagrant: see Vagrantfile"
  [[ $codename =~ ^[a-z]+$ ]] || fail "MINI_KUBELET_VM_DEBIAN is no release: $codename" "give it bookworm or trixie"
  require_root
  local command=${1:-} files=()
  [ $# -eq 0 ] || shift
  case $command in
    up | start)
      apt_install qemu-system-x86 qemu-utils debootstrap e2fsprogs openssh-client debian-archive-keyring
      provide_node
      mkdir -p "$cache"
      if machine_runs && ! modules_are_current; then
        step "package-lock.json has changed: the virtual machine has to be booted anew"
        stop_machine
      fi
      if ! machine_runs; then start_machine; fi
      if [ "$command" = up ]; then provision; fi
      step "the virtual machine runs: $0 ssh, $0 test, $0 down"
      ;;
    test)
      require_machine
      provide_node
      [ $# -gt 0 ] || mapfile -t files < <(find "$root/test/vm" -name '*.test.ts' | sort)
      cd "$root"
      MINI_KUBELET_VM=$state exec npx --no-install tap --jobs=1 --timeout=7200 "${@:-${files[@]}}"
      ;;
    ssh)
      require_machine
      in_machine "$@" || exit $?
      ;;
    kill) kill_machine ;;
    state) echo "$state" ;;
    down)
      stop_machine
      rm -rf "$state"
      ;;
    *) fail "unknown command: $command" "usage: $0 up|start|test|ssh|kill|down|state" ;;
  esac
}

main "$@"
exit
