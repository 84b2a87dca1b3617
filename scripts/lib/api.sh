# shellcheck shell=bash
# Sourced: the daemon's API over its unix socket, with nothing but curl.

api_socket=${MINI_KUBELET_SOCKET:-/run/mini-kubelet/api.sock}

# api METHOD PATH [CURL OPTIONS]...: prints the answer's body; false when the server says no or does not answer.
api() {
  local method=$1 path=$2
  shift 2
  curl --silent --show-error --fail-with-body --unix-socket "$api_socket" --request "$method" "$@" "http://localhost$path"
}

api_ready() { api GET /readyz --max-time 5 >/dev/null 2>&1; }

# Paths of all pods, one per line.
pod_paths() {
  api GET /api/v1/pods | node -e '
    const { items } = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
    for (const { metadata } of items) console.log(`/api/v1/namespaces/${metadata.namespace}/pods/${metadata.name}`);'
}

# Asks them to go; false when nobody can say which there are. One that is gone by now is no failure.
delete_all_pods() {
  local paths path
  paths=$(pod_paths) || return 1
  for path in $paths; do api DELETE "$path" >/dev/null || :; done
}

# Those of manifest files go with their files, the others by the API. False when they do not end.
end_all_pods() {
  rm -f /etc/mini-kubelet/manifests/*
  delete_all_pods && wait_until 300 no_pods_left
}

# An answer that cannot be had is no "none".
no_pods_left() {
  local paths
  paths=$(pod_paths) && [ -z "$paths" ]
}
