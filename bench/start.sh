#!/usr/bin/env bash
# Measures pod starts, throughput, idle cost and restart of the daemon beside the same CRI calls made bare. Prints a table
# for docs/performance.md; takes some minutes, and wants a machine that does nothing else.
#
# usage: sudo bench/start.sh [1.6|1.7|2.1]
set -Eeuo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/scripts/lib/say.sh"
. "$root/scripts/lib/packages.sh"
. "$root/scripts/lib/node.sh"
. "$root/scripts/lib/runtime.sh"

require_root
require_debian
apt_install "${runtime_packages[@]}" "${image_packages[@]}"
provide_node
cd "$root"
step "building"
as_owner node scripts/build.ts
# The bundle is what is installed, so it is what is measured.
MINI_KUBELET_TEST_LAUNCHER=$root/dist/mini-kubelet MINI_KUBELET_TEST_CONTAINERD=${1:-1.6} exec node bench/run.ts
