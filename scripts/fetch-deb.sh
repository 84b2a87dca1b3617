#!/usr/bin/env bash
# Unpacks a package of another Debian release into a cache directory and prints that directory; nothing is installed.
# The tests run containerd versions side by side with it.
#
# usage: scripts/fetch-deb.sh SUITE PACKAGE
# The cache is $MINI_KUBELET_CACHE, or mini-kubelet-test under $XDG_CACHE_HOME or /var/cache. A second call with the
# same arguments uses no network; remove the cache to get newer versions.
set -Eeuo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/lib/say.sh"
. "$here/lib/packages.sh"

[ $# -eq 2 ] || fail "usage: $0 SUITE PACKAGE"
suite=$1 package=$2
[[ $suite =~ ^[a-z-]+$ && $package =~ ^[a-z0-9.+-]+$ ]] || fail "usage: $0 SUITE PACKAGE"

cache=${MINI_KUBELET_CACHE:-${XDG_CACHE_HOME:-/var/cache}/mini-kubelet-test}
current=$cache/debs/$suite/$package
mkdir -p "$cache/debs/$suite"

# Two test files may ask at the same time.
exec 9>"$cache/debs/lock"
flock 9
if [ -d "$current" ]; then
  readlink -f "$current"
  exit 0
fi

require_debian
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -f "$keyring" ] || apt_install debian-archive-keyring
archive=$(apt_archive)

# apt gets lists, state and configuration of its own, so that the machine's packages are neither asked nor changed.
work=$(mktemp -d "$cache/debs/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$cache/apt/$suite/lists/partial" "$work/cache/archives/partial" "$work/parts"
cat >"$work/archive.sources" <<SOURCES
Types: deb
URIs: $archive
Suites: $suite
Components: main
Signed-By: $keyring
SOURCES
# Signatures are checked as ever; only the date is not, since an archive's mirror or snapshot may be some weeks old.
own_apt() {
  apt-get -qq \
    -o "Dir::State=$cache/apt/$suite" -o "Dir::State::status=/dev/null" -o "Dir::Cache=$work/cache" \
    -o "Dir::Etc::SourceList=$work/archive.sources" -o "Dir::Etc::SourceParts=$work/parts" \
    -o "Dir::Etc::PreferencesParts=$work/parts" -o "Dir::Etc::Preferences=$work/none" \
    -o "APT::Sandbox::User=root" -o "Acquire::Check-Valid-Until=false" "$@" >&2
}
step "fetching $package of Debian $suite"
own_apt update
(cd "$work" && own_apt download "$package")
deb=$(echo "$work/$package"_*.deb)
[ -f "$deb" ] || fail "apt-get download brought no $package"
version=$(dpkg-deb -f "$deb" Version)
unpacked=$cache/debs/${package}_${version//[:~]/-}
rm -rf "$unpacked"
dpkg-deb -x "$deb" "$work/tree"
mv "$work/tree" "$unpacked"
ln -sfn "$unpacked" "$current"
readlink -f "$current"
