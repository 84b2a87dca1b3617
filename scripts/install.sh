#!/usr/bin/env bash
# Installs mini-kubelet as a systemd service; on Debian 12 or 13, also while an image or a virtual machine is being built.
#
# usage: sudo scripts/install.sh               install or upgrade, enable, and start where systemd runs
#        sudo scripts/install.sh --uninstall   stop and remove the program; pods, state and configuration stay
#        sudo scripts/install.sh --uninstall --purge   also remove all pods, the state and the configuration
set -Eeuo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/scripts/lib/say.sh"
. "$root/scripts/lib/packages.sh"
. "$root/scripts/lib/node.sh"
. "$root/scripts/lib/runtime.sh"
. "$root/scripts/lib/api.sh"

lib_dir=/usr/lib/mini-kubelet
command=/usr/bin/mini-kubelet
unit=/etc/systemd/system/mini-kubelet.service
run_dir=/run/mini-kubelet

# Directories count as well: they tell of files that were removed.
build_is_current() {
  [ -f "$root/dist/main.js" ] &&
    [ -z "$(cd "$root" && find src proto scripts/build.ts package-lock.json -newer dist/main.js -print -quit)" ]
}

install_program() {
  if build_is_current; then
    step "built already: $root/dist"
  else
    step "building"
    (cd "$root" && as_owner node scripts/build.ts)
  fi
  step "installing to $lib_dir"
  # The running daemon's files are replaced as a whole, so that a restart never meets half of them.
  rm -rf "$lib_dir.new"
  mkdir -p "$lib_dir.new"
  cp -r "$root/dist/." "$lib_dir.new/"
  cp "$(pinned_node)/node" "$lib_dir.new/node"
  chown -R root:root "$lib_dir.new"
  chmod -R go-w "$lib_dir.new"
  rm -rf "$lib_dir.old"
  if [ -d "$lib_dir" ]; then mv "$lib_dir" "$lib_dir.old"; fi
  mv "$lib_dir.new" "$lib_dir"
  rm -rf "$lib_dir.old"
  ln -sfn "$lib_dir/mini-kubelet" "$command"
  "$command" --version >/dev/null || fail "the installed program does not start" "run: $command --version"
}

install_service() {
  install -d -m 0700 /etc/mini-kubelet /etc/mini-kubelet/manifests
  install -D -m 0644 "$root/packaging/mini-kubelet.service" "$unit"
  if ! has systemctl; then
    note "there is no systemd here: start it with $command"
    return 0
  fi
  if ! systemd_runs; then
    systemctl --quiet enable mini-kubelet containerd
    note "systemd does not run here: the service starts with the next boot"
    note "run this again then: the pod network and the local images need a running machine"
    return 0
  fi
  provide_runtime "$run_dir"
  step "starting mini-kubelet.service"
  systemctl daemon-reload
  systemctl --quiet enable mini-kubelet
  # Type=notify: this returns when the daemon says that it is ready.
  systemctl restart mini-kubelet || fail "mini-kubelet.service does not start" "look at: journalctl -u mini-kubelet"
  wait_until 30 api_ready || fail "the API does not answer" "look at: journalctl -u mini-kubelet"
}

uninstall() {
  if [ "$purge" = yes ]; then remove_all_pods; fi
  if has systemctl && [ -f "$unit" ]; then
    step "stopping mini-kubelet.service"
    if systemd_runs; then systemctl --quiet disable --now mini-kubelet; else systemctl --quiet disable mini-kubelet; fi
    rm -f "$unit"
    if systemd_runs; then systemctl daemon-reload; fi
  fi
  step "removing $lib_dir"
  rm -rf "$lib_dir" "$command"
  if [ "$purge" = yes ]; then
    step "removing state and configuration"
    rm -rf /var/lib/mini-kubelet /etc/mini-kubelet "$run_dir"
    remove_pod_cgroups
    undo_runtime "$run_dir"
  else
    note "pods go on; their state is in /var/lib/mini-kubelet, the configuration in /etc/mini-kubelet"
    note "to remove these too: $0 --uninstall --purge"
  fi
}

remove_all_pods() {
  if ! api_ready; then
    if [ -d /var/lib/mini-kubelet/pods ] && [ -n "$(ls -A /var/lib/mini-kubelet/pods)" ]; then
      fail "there are pods, and the daemon that would stop them does not answer" \
        "start it (systemctl start mini-kubelet; if it is not installed any more: $0) and run this again"
    fi
    return 0
  fi
  step "stopping all pods"
  # The machine may have no other Node.js than that of the program.
  PATH=$lib_dir:$PATH
  end_all_pods || fail "some pods do not end" "look at: mini-kubelet's log, then run this again"
}

mode=install purge=no
for argument in "$@"; do
  case $argument in
    --help | -h) usage ;;
    --uninstall) mode=uninstall ;;
    --purge) purge=yes ;;
    *) fail "unknown argument: $argument" "usage: $0 [--uninstall [--purge]]" ;;
  esac
done
require_root
if [ "$mode" = uninstall ]; then
  uninstall
  step "uninstalled"
  exit 0
fi
require_debian
! is_installed mini-kubelet || fail "the Debian package mini-kubelet is installed here" \
  "upgrade that one, or remove it first (apt remove mini-kubelet): pods and settings stay"
apt_install "${runtime_packages[@]}" "${image_packages[@]}"
provide_node
install_program
install_service
step "installed: mini-kubelet --help, systemctl status mini-kubelet"
