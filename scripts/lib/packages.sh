# shellcheck shell=bash
# Sourced: packages of the distribution, and of another release of it.

export DEBIAN_FRONTEND=noninteractive

require_debian() {
  has apt-get || fail "this script installs what is missing with apt-get, which is not here" \
    "on another distribution, install containerd, runc, CNI plugins, iproute2, iptables, Node.js and npm by hand"
}

is_installed() { dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }

# apt_install PACKAGE...: installs only those that are missing; asks the archive for its lists only then.
apt_install() {
  local missing=() package
  for package in "$@"; do is_installed "$package" || missing+=("$package"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  require_root
  require_debian
  step "installing ${missing[*]}"
  apt_get update || note "apt-get update failed; trying with the lists that are here"
  apt_get install --no-install-recommends --yes "${missing[@]}" || fail "apt-get could not install ${missing[*]}" \
    "its last messages are above; is the archive in reach? try: apt-get update && apt-get install ${missing[*]}"
}

# What apt-get says is only of interest when it fails.
apt_get() {
  local log code=0
  log=$(mktemp)
  apt-get -o DPkg::Lock::Timeout=300 -qq "$@" >"$log" 2>&1 </dev/null || code=$?
  [ "$code" -eq 0 ] || tail -n 20 "$log" >&2
  rm -f "$log"
  return "$code"
}

# apt_archive: the address of the Debian archive that this machine's own apt is configured with, whatever the format
# and place of its configuration.
apt_archive() {
  local codename
  codename=$(. /etc/os-release && printf '%s' "$VERSION_CODENAME")
  configured_archive "$codename" && return 0
  # Without downloaded lists apt names no targets (fresh container images).
  apt_get update
  configured_archive "$codename" || fail "apt is configured with no Debian archive for $codename" \
    "look at /etc/apt/sources.list and /etc/apt/sources.list.d"
}

configured_archive() {
  apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
    awk -v release="$1" '$2 == release && $3 == "main" { print $1; found = 1; exit } END { exit !found }'
}
