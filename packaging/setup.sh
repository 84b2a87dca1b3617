#!/usr/bin/env bash
# Sets up what pods need, where nothing is configured: a pod network, containerd's settings, and the local images.
#
# usage: sudo mini-kubelet-setup          what a user has configured stays as it is
#        sudo mini-kubelet-setup --undo   takes back what it has set up
set -Eeuo pipefail
root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
. "$root/scripts/lib/say.sh"
. "$root/scripts/lib/packages.sh"
. "$root/scripts/lib/runtime.sh"
# The daemon's own Node.js.
PATH=$root:$PATH

case ${1:-} in
  '')
    require_root
    provide_runtime /run/mini-kubelet
    step "pods can run: kubectl --kubeconfig /etc/mini-kubelet/admin.kubeconfig get node"
    ;;
  --undo)
    require_root
    undo_runtime /run/mini-kubelet
    ;;
  --help | -h) usage ;;
  *) fail "unknown argument: $1" "usage: mini-kubelet-setup [--undo]" ;;
esac
