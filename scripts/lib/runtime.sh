# shellcheck shell=bash
# shellcheck disable=SC2154 # root is set by the script that sources this
# Sourced, after say.sh, packages.sh and node.sh: a container runtime that can run pods. What a user has configured is
# left as it is; what these functions write bears a marker, and `undo_runtime` takes it back.

log_dir=/var/log/mini-kubelet
containerd_socket=/run/containerd/containerd.sock
containerd_config=/etc/containerd/config.toml
cni_dir=/etc/cni/net.d
cni_conf=$cni_dir/10-mini-kubelet.conflist
cni_bridge=mini-kubelet0
marker='Written by mini-kubelet'
runtime_packages=(containerd runc containernetworking-plugins iproute2 iptables util-linux ca-certificates curl)
image_packages=(busybox-static catatonit)
local_pause=mini-kubelet.local/pause:1
ctr=(ctr --address "$containerd_socket" --namespace k8s.io)

containerd_answers() { [ -S "$containerd_socket" ] && timeout 5 "${ctr[@]}" version >/dev/null 2>&1; }

# provide_runtime RUN-DIRECTORY: installs, configures and starts containerd and leaves the local images in it.
provide_runtime() {
  run_dir=$1
  apt_install "${runtime_packages[@]}" "${image_packages[@]}"
  provide_pod_network
  provide_containerd
  provide_images
}

# A pod network only where the host has none.
provide_pod_network() {
  local existing subnet
  mkdir -p "$cni_dir"
  existing=$(find "$cni_dir" -maxdepth 1 \( -name '*.conflist' -o -name '*.conf' -o -name '*.json' \) | sort)
  if [ -n "$existing" ]; then
    step "pod network: ${existing%%$'\n'*}"
    if grep -qsF "$marker" "$cni_conf"; then guard_loopback; fi
    return 0
  fi
  subnet=$(free_subnet)
  step "pod network: bridge $cni_bridge with $subnet, in $cni_conf"
  # containerd watches the directory: the file appears whole.
  cat >"$cni_conf.new" <<CONF
{
  "_comment": "$marker; scripts/quickstart.sh --down removes it",
  "cniVersion": "1.0.0",
  "name": "mini-kubelet",
  "plugins": [
    {
      "type": "bridge",
      "bridge": "$cni_bridge",
      "isGateway": true,
      "ipMasq": true,
      "hairpinMode": true,
      "ipam": { "type": "host-local", "dataDir": "/run/cni", "ranges": [[{ "subnet": "$subnet" }]], "routes": [{ "dst": "0.0.0.0/0" }] }
    },
    { "type": "portmap", "capabilities": { "portMappings": true }, "snat": true }
  ]
}
CONF
  mv "$cni_conf.new" "$cni_conf"
  guard_loopback
}

# The portmap plugin makes the bridge's packets for 127.0.0.0/8 acceptable (route_localnet), so that host ports are at
# the host's localhost too. With a raw socket a pod could then reach what listens on that only (CVE-2020-8558). No honest
# packet from the bridge has such a destination.
guard_rule=(PREROUTING --in-interface "$cni_bridge" --destination 127.0.0.0/8 --jump DROP)

guard_loopback() {
  iptables --wait --table raw --check "${guard_rule[@]}" 2>/dev/null ||
    iptables --wait --table raw --insert "${guard_rule[@]}" ||
    note "iptables could not keep pods with a host port away from the host's localhost"
}

# The first private /24 that no route of this host mentions.
free_subnet() {
  local routes number
  routes=$(ip -4 route show table all)
  for number in $(seq 88 127); do
    if ! grep -qE "(^|[ ])10\.$number\." <<<"$routes"; then
      echo "10.$number.0.0/24"
      return
    fi
  done
  fail "10.88.0.0/24 to 10.127.0.0/24 are all routed already" "write a CNI configuration to $cni_dir yourself"
}

provide_containerd() {
  if ! configure_containerd; then
    restart_containerd
  elif containerd_answers; then
    step "containerd runs: $(containerd --version | awk '{ print $3 }')"
  else
    start_containerd
  fi
}

# The configuration as it is: the distribution's own or none at all (both ours to change), ours, or a user's.
containerd_config_owner() {
  local known
  [ -f "$containerd_config" ] || { echo nobody; return; }
  if grep -qF "$marker" "$containerd_config"; then echo us; return; fi
  known=$(dpkg-query -W -f '${Conffiles}\n' containerd 2>/dev/null | awk -v file="$containerd_config" '$1 == file { print $2 }')
  if [ "$(md5sum <"$containerd_config" | cut -d' ' -f1)" = "$known" ]; then echo distribution; else echo user; fi
}

# Changes the configuration only for what this machine needs: a sandbox image that is to be had, and no attempt to lower
# oom_score_adj where nobody may. Returns 1 when containerd has to be restarted for it.
configure_containerd() {
  local owner wanted
  owner=$(containerd_config_owner)
  wanted=$(wanted_containerd_config)
  case $owner in
    us) [ "$wanted" != "$(cat "$containerd_config")" ] || return 0 ;;
    user)
      note "$containerd_config has been changed by somebody: it stays as it is"
      return 0
      ;;
    nobody | distribution)
      if sandbox_image_is_available && has_cap_sys_resource; then return 0; fi
      if [ "$owner" = distribution ]; then cp "$containerd_config" "$containerd_config.before-mini-kubelet"; fi
      ;;
  esac
  step "configuring containerd: $containerd_config"
  mkdir -p "$(dirname "$containerd_config")"
  printf '%s\n' "$wanted" >"$containerd_config"
  return 1
}

# Version 2 is read by containerd 1.6 and every later one.
wanted_containerd_config() {
  local restrict=false
  has_cap_sys_resource || restrict=true
  cat <<CONFIG
# $marker; the file that was here before is beside it.
version = 2

[plugins]
  [plugins."io.containerd.grpc.v1.cri"]
    # Built on this machine, since no registry may be in reach.
    sandbox_image = "$local_pause"
    # Without CAP_SYS_RESOURCE no process may lower its oom_score_adj, and every container would fail to start.
    restrict_oom_score_adj = $restrict
    [plugins."io.containerd.grpc.v1.cri".cni]
      bin_dir = "/usr/lib/cni"
      conf_dir = "$cni_dir"
  [plugins."io.containerd.internal.v1.opt"]
    path = "/var/lib/containerd/opt"
CONFIG
}

# The image that containerd starts each sandbox with.
configured_sandbox_image() {
  containerd config dump 2>/dev/null | sed -nE "s/^ *sandbox(_image)? = [\"'](.*)[\"']/\2/p" | head -n 1
}

# True when that image is in containerd already or its registry answers.
sandbox_image_is_available() {
  local image
  image=$(configured_sandbox_image)
  [ "$image" != "$local_pause" ] || return 0
  if containerd_answers && "${ctr[@]}" images list --quiet 2>/dev/null | grep -qxF "$image"; then return 0; fi
  curl --silent --output /dev/null --max-time 5 "https://${image%%/*}/v2/"
}

start_containerd() {
  if systemd_runs; then
    step "starting containerd.service"
    systemctl enable --quiet --now containerd
  else
    step "starting containerd (no systemd here); its log is $log_dir/containerd.log"
    install -d -m 0750 "$run_dir" "$log_dir"
    # A session of its own, so that it outlives the terminal.
    setsid containerd >>"$log_dir/containerd.log" 2>&1 </dev/null &
    echo $! >"$run_dir/containerd.pid"
  fi
  wait_until 30 containerd_answers || fail "containerd does not answer on $containerd_socket" \
    "look at: journalctl -u containerd, or $log_dir/containerd.log"
}

restart_containerd() {
  if systemd_runs; then
    step "restarting containerd.service for its new configuration"
    systemctl enable --quiet containerd
    systemctl restart containerd
    wait_until 30 containerd_answers || fail "containerd did not come back" "look at: journalctl -u containerd"
  elif pid_file_alive "$run_dir/containerd.pid" containerd; then
    stop_started_containerd
    start_containerd
  elif containerd_answers; then
    fail "containerd has to be restarted for its new configuration, and was not started by this script" \
      "restart it and run this again"
  else
    start_containerd
  fi
}

stop_started_containerd() {
  local pid
  pid_file_alive "$run_dir/containerd.pid" containerd || return 0
  read -r pid <"$run_dir/containerd.pid"
  kill "$pid"
  wait_until 20 process_ended "$pid" || fail "containerd (pid $pid) does not end" "end it with: kill -9 $pid"
  rm -f "$run_dir/containerd.pid"
}

process_ended() { [ ! -d "/proc/$1" ]; }

# The demo image is only to be had here; the sandbox image comes from a registry where one answers.
provide_images() {
  local archive image
  image=$(configured_sandbox_image)
  if [ "$image" != "$local_pause" ] && ! "${ctr[@]}" images list --quiet | grep -qxF "$image"; then
    step "pulling $image"
    "${ctr[@]}" images pull "$image" >/dev/null || fail "the sandbox image $image can't be pulled" \
      "set sandbox_image in $containerd_config to $local_pause, restart containerd, and run this again"
  fi
  step "building the images $local_pause and mini-kubelet.local/demo:1"
  archive=$(mktemp /tmp/mini-kubelet-images.XXXXXX)
  node "$root/scripts/images.ts" "$archive"
  "${ctr[@]}" images import "$archive" >/dev/null
  rm -f "$archive"
}

# The cgroups above those of the pods, unless somebody else has pods in them: rmdir refuses what is in use. Only those
# at the top are ours; cgroups with such names further down belong to others.
remove_pod_cgroups() {
  local top
  if systemd_runs && [ "$(systemctl show -P TasksCurrent kubepods.slice)" = 0 ]; then
    systemctl --quiet stop kubepods.slice
  fi
  for top in /sys/fs/cgroup/kubepods* /sys/fs/cgroup/*/kubepods*; do
    mountpoint -q "${top%/*}" || continue
    find "$top" -depth -type d -exec rmdir {} + 2>/dev/null || :
  done
}

# undo_runtime RUN-DIRECTORY: takes back what `provide_runtime` changed; packages and images stay.
undo_runtime() {
  run_dir=$1
  if [ -n "$(ls -A "/sys/class/net/$cni_bridge/brif" 2>/dev/null)" ]; then
    note "somebody else has sandboxes on the bridge $cni_bridge: the pod network and containerd stay as they are"
    return 0
  fi
  if [ -f "$cni_conf" ] && grep -qF "$marker" "$cni_conf"; then
    step "removing the pod network"
    rm -f "$cni_conf"
    rm -rf /run/cni/mini-kubelet
    if [ -d "/sys/class/net/$cni_bridge" ]; then ip link delete "$cni_bridge"; fi
    while iptables --wait --table raw --delete "${guard_rule[@]}" 2>/dev/null; do :; done
  fi
  if [ "$(containerd_config_owner)" = us ]; then
    step "restoring $containerd_config"
    if [ -f "$containerd_config.before-mini-kubelet" ]; then
      mv "$containerd_config.before-mini-kubelet" "$containerd_config"
    else
      rm -f "$containerd_config"
    fi
    if systemd_runs; then systemctl try-restart containerd; fi
  fi
  stop_started_containerd
}
