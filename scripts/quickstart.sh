#!/usr/bin/env bash
# From a fresh Debian 12 or 13 to a running pod: installs what is missing, sets up containerd and a pod network where
# there is none, builds and starts mini-kubelet, and runs examples/web-with-sidecar.yaml. Running it again does no harm.
#
# usage: sudo scripts/quickstart.sh          start
#        sudo scripts/quickstart.sh --down   remove the demo pod, stop what this script has started, undo its changes
set -Eeuo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/scripts/lib/say.sh"
. "$root/scripts/lib/packages.sh"
. "$root/scripts/lib/node.sh"
. "$root/scripts/lib/runtime.sh"
. "$root/scripts/lib/api.sh"

run_dir=/run/mini-kubelet
pid_file=$run_dir/quickstart.pid
log_file=$log_dir/daemon.log
example=$root/examples/web-with-sidecar.yaml
pods=/api/v1/namespaces/default/pods
pod=$pods/web-with-sidecar

service_is_installed() { systemd_runs && [ -f /etc/systemd/system/mini-kubelet.service ]; }

# It may run and not be ready, while containerd is away.
daemon_runs() { api GET /livez --max-time 5 >/dev/null 2>&1 || pid_file_alive "$pid_file" main.js; }

start_daemon() {
  local said_before=1 pid=
  if daemon_runs; then
    step "mini-kubelet runs already"
  elif service_is_installed; then
    step "starting mini-kubelet.service"
    systemctl start mini-kubelet
  else
    step "building mini-kubelet"
    (cd "$root" && as_owner node scripts/build.ts)
    step "starting mini-kubelet; its log is $log_file"
    install -d -m 0750 "$run_dir" "$log_dir"
    install -d -m 0700 /etc/mini-kubelet /etc/mini-kubelet/manifests
    if [ -f "$log_file" ]; then said_before=$(($(stat -c %s "$log_file") + 1)); fi
    # A session of its own, so that it outlives the terminal.
    setsid "$root/dist/mini-kubelet" >>"$log_file" 2>&1 </dev/null &
    pid=$!
    echo "$pid" >"$pid_file"
  fi
  wait_until 60 ready_or_ended "$pid" || :
  api_ready && return 0
  if service_is_installed; then
    fail "mini-kubelet does not get ready" "look at: journalctl -u mini-kubelet"
  fi
  if [ -n "$pid" ]; then
    tail -c "+$said_before" "$log_file" | complaints_of_log >&2
    if process_ended "$pid"; then fail "mini-kubelet has ended, for the reason above" "its log is $log_file"; fi
  fi
  api GET /readyz >&2 || :
  fail "mini-kubelet runs, but cannot run pods" "what is wrong is above; its log is $log_file"
}

# ready_or_ended PID: where the PID is empty only readiness counts.
ready_or_ended() { api_ready || { [ -n "$1" ] && process_ended "$1"; }; }

# From the log's JSON, what is an error, in words.
complaints_of_log() {
  node -e '
    for (const line of require("node:fs").readFileSync(0, "utf8").trim().split("\n").slice(-200)) {
      if (!line.startsWith("{")) { if (line) console.log(`    ${line}`); continue; }
      const { level, msg, err } = JSON.parse(line);
      const detail = err && !msg.includes(err.message) ? `: ${err.message}` : "";
      if (level >= 50) console.log(`    ${msg}${detail}`);
    }'
}

run_example() {
  local answer
  if api GET "$pod" 2>/dev/null | grep -q '"deletionTimestamp"'; then
    step "waiting until the demo pod that was deleted is gone"
    wait_until 60 pod_is_gone || fail "the demo pod does not end" "look at $log_file"
  fi
  if api GET "$pod" >/dev/null 2>&1; then
    step "the demo pod is there already"
  else
    step "creating the pod of examples/$(basename "$example")"
    answer=$(api POST "$pods" --header 'content-type: application/yaml' --data-binary "@$example") ||
      fail "the pod was refused: $(message_of "$answer")"
  fi
  step "waiting until it is ready"
  node "$root/scripts/lib/until-ready.ts" "$api_socket" default web-with-sidecar 120 || fail "the pod is not ready" \
    "its status: curl --unix-socket $api_socket http://localhost$pod" \
    "what happened: curl --unix-socket $api_socket http://localhost/api/v1/namespaces/default/events"
}

message_of() { node -e 'console.log(JSON.parse(process.argv[1]).message)' "$1" 2>/dev/null || echo "$1"; }

show() {
  local address phase
  read -r phase address < <(api GET "$pod" | node -p '
    const { status } = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
    `${status.phase} ${status.podIP}`')
  # The containers print what they see at their start; the writer's second round needs the server.
  wait_until 15 writer_has_read || :
  printf '\nThe pod web-with-sidecar is %s at %s.\n' "$phase" "$address"
  printf '\nWhat its containers see:\n'
  for container in server writer; do
    api GET "$pod/log?container=$container&tailLines=4" | sed "s/^/  [$container] /"
  done
  cat <<NEXT

Reach it:    curl http://$address:8080/
Inspect it:  curl --unix-socket $api_socket http://localhost$pod
             curl --unix-socket $api_socket 'http://localhost$pod/log?container=writer&follow=true'
             kubectl --kubeconfig /etc/mini-kubelet/admin.kubeconfig get pods     (any recent kubectl)
Stop it:     curl --unix-socket $api_socket -X DELETE http://localhost$pod
Undo all:    sudo $root/scripts/quickstart.sh --down
NEXT
}

writer_has_read() { api GET "$pod/log?container=writer" | grep -q 'Hello from'; }

down() {
  PATH=$(pinned_node):$PATH
  if api_ready; then
    if api GET "$pod" >/dev/null 2>&1; then
      step "removing the demo pod"
      api DELETE "$pod" >/dev/null
      wait_until 60 pod_is_gone || fail "the demo pod does not end" "look at $log_file"
    fi
    if ! no_pods_left; then
      step "there are other pods, so mini-kubelet and containerd go on:"
      pod_paths | sed 's|^/api/v1/namespaces/|    |; s|/pods/|/|' >&2
      return 0
    fi
  elif [ -n "$(ls -A /var/lib/mini-kubelet/pods 2>/dev/null)" ]; then
    fail "there are pods, and mini-kubelet, which would end them, is not ready" "run $0, then $0 --down"
  fi
  if service_is_installed; then
    step "the demo pod is gone; mini-kubelet.service goes on. To remove it: scripts/install.sh --uninstall"
    return 0
  fi
  stop_daemon
  remove_pod_cgroups
  undo_runtime "$run_dir"
  step "down; packages, images, /etc/mini-kubelet, /var/lib/mini-kubelet and /var/log/mini-kubelet stay"
}

stop_daemon() {
  local pid
  if pid_file_alive "$pid_file" main.js; then
    step "stopping mini-kubelet"
    read -r pid <"$pid_file"
    kill "$pid"
    wait_until 20 process_ended "$pid" || fail "mini-kubelet does not end" "its pid is in $pid_file"
  fi
  rm -f "$pid_file"
  if daemon_runs; then fail "a mini-kubelet runs that was not started by this script" "stop it and run this again"; fi
}

pod_is_gone() { ! api GET "$pod" >/dev/null 2>&1; }

case ${1:-} in
  '') ;;
  --help | -h) usage ;;
  --down)
    require_root
    down
    exit 0
    ;;
  *) fail "unknown argument: $1" "usage: $0 [--down]" ;;
esac
require_root
require_debian
provide_node
provide_runtime "$run_dir"
start_daemon
run_example
show
