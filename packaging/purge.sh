#!/usr/bin/env bash
# Run when the package is purged, from what its removal left of the program: ends all pods and takes back what
# mini-kubelet-setup has set up.
set -Eeuo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/scripts/lib/say.sh"
. "$root/scripts/lib/packages.sh"
. "$root/scripts/lib/runtime.sh"
. "$root/scripts/lib/api.sh"
PATH=$root:$PATH

# Ends all pods by a daemon of its own, since the service is gone.
end_pods() {
  local daemon
  install -d -m 0750 /run/mini-kubelet
  "$root/mini-kubelet" --no-enable-server >/dev/null &
  daemon=$!
  if ! wait_until 300 api_ready; then
    kill "$daemon" || :
    fail "there are pods, and the daemon that would end them does not start" \
      "start containerd and purge again, or remove /var/lib/mini-kubelet/pods to forget them"
  fi
  end_all_pods || { kill "$daemon"; fail "some pods do not end" "purge again"; }
  kill "$daemon"
  wait "$daemon" || :
}

if [ -n "$(ls -A /var/lib/mini-kubelet/pods 2>/dev/null)" ]; then
  step "stopping all pods"
  end_pods
fi
remove_pod_cgroups
undo_runtime /run/mini-kubelet
