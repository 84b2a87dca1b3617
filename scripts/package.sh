#!/usr/bin/env bash
# Builds a Debian package for this machine's architecture: the program with its own Node.js, the service, documents and
# examples. Equal inputs give equal bytes.
#
# usage: scripts/package.sh [DIRECTORY]   writes DIRECTORY/mini-kubelet_VERSION_ARCHITECTURE.deb and prints its path
# Without a directory: packages/ of the checkout. MINI_KUBELET_VERSION is another version than that of package.json, and
# SOURCE_DATE_EPOCH the time of all files, else that of the last commit.
set -Eeuo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/scripts/lib/say.sh"
. "$root/scripts/lib/packages.sh"
. "$root/scripts/lib/node.sh"
umask 022

case ${1:-} in --help | -h) usage ;; esac
has dpkg-deb || fail "dpkg-deb is missing" "build the package on Debian or one of its descendants"
provide_node
directory=${1:-$root/packages}
version=${MINI_KUBELET_VERSION:-$(cd "$root" && node -p 'require("./package.json").version')}
architecture=$(dpkg --print-architecture)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct 2>/dev/null || stat -c %Y "$root/CHANGELOG.md")}
export SOURCE_DATE_EPOCH
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT

lay_out() {
  local lib=$tree/usr/lib/mini-kubelet doc=$tree/usr/share/doc/mini-kubelet
  mkdir -p "$lib/scripts/lib" "$doc/docs" "$doc/examples" "$tree"/usr/{bin,sbin,lib/systemd/system} "$tree/DEBIAN"
  cp -r "$root/dist/." "$lib/"
  cp "$(pinned_node)/node" "$lib/node"
  cp "$root"/scripts/lib/{say,packages,runtime,api}.sh "$lib/scripts/lib/"
  cp "$root"/packaging/{setup,purge}.sh "$root/scripts/images.ts" "$lib/scripts/"
  ln -s ../lib/mini-kubelet/mini-kubelet "$tree/usr/bin/mini-kubelet"
  ln -s ../lib/mini-kubelet/scripts/setup.sh "$tree/usr/sbin/mini-kubelet-setup"
  cp "$root/packaging/mini-kubelet.service" "$tree/usr/lib/systemd/system/"
  cp "$root"/{README,CHANGELOG}.md "$doc/"
  cp "$root"/docs/*.md "$doc/docs/"
  cp "$root"/examples/*.yaml "$root/packaging/config.yaml" "$doc/examples/"
  copyright >"$doc/copyright"
  install -m 0755 "$root"/packaging/debian/{preinst,postinst,prerm,postrm} "$tree/DEBIAN/"
  control >"$tree/DEBIAN/control"
  # Whatever modes the checkout has.
  chmod -R u=rwX,go=rX "$tree"
  find "$tree" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
}

control() {
  cat <<CONTROL
Package: mini-kubelet
Version: $version
Architecture: $architecture
Maintainer: the mini-kubelet developers <mini-kubelet@localhost>
Section: admin
Priority: optional
Installed-Size: $(du -sk --exclude=DEBIAN "$tree" | cut -f1)
Depends: systemd, init-system-helpers, containerd | containerd.io, containernetworking-plugins, iproute2, iptables, mount, util-linux, libc6 (>= 2.28), libstdc++6, libgcc-s1, curl, ca-certificates, busybox-static, catatonit
Recommends: dbus
Suggests: kubernetes-client
Description: runs Kubernetes pods on one host, with no control plane
 One daemon speaks CRI to containerd or CRI-O, keeps its objects in an embedded
 SQLite database, and serves the part of the Kubernetes API that pods need, so
 that curl and an unmodified kubectl are its clients.
CONTROL
}

# Of this project, and of what the package carries.
copyright() {
  echo "mini-kubelet: Apache-2.0, see /usr/share/common-licenses/Apache-2.0"
  printf '\nBundled packages:\n\n'
  cat "$root"/dist/*.LEGAL.txt
  printf '\nNode.js:\n\n'
  cat "$(pinned_node)/../LICENSE"
}

step "building"
(cd "$root" && as_owner node scripts/build.ts)
"$root/dist/mini-kubelet" --config "$root/packaging/config.yaml" config check >/dev/null
step "packing mini-kubelet $version for $architecture"
lay_out
mkdir -p "$directory"
# gzip, since what xz writes depends on how many threads it has, and with one it takes a minute.
dpkg-deb --root-owner-group -Zgzip --build "$tree" "$directory" >&2
echo "$directory/mini-kubelet_${version}_$architecture.deb"
