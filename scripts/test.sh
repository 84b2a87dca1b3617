#!/usr/bin/env bash
# Installs what is missing on a Debian 12 or 13 and runs every test. The last line says how many passed and failed.
#
# usage: sudo scripts/test.sh [--all|check|unit|1.6|1.7|2.1|bookworm|trixie]...
# Without arguments: check (generated code, lint, types, build), unit, and the integration tests on containerd 1.6 and 2.1.
# --all: these, and the tests in a virtual machine with Debian bookworm, which scripts/vm.sh makes. Without KVM that one is
# emulated, which is slow.
set -Eeuo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/scripts/lib/say.sh"
. "$root/scripts/lib/packages.sh"
. "$root/scripts/lib/node.sh"
cd "$root"

passed=0 failed=0
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
# Each test file is a process of its own: without it each would compile the same sources again.
export NODE_COMPILE_CACHE=$results/compiled

# check NAME COMMAND...: one test that passes when the command succeeds.
check() {
  local name=$1
  shift
  step "$name"
  if "$@" >&2; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    note "FAILED: $name"
  fi
}

generated_code_is_current() {
  node scripts/generate-proto-types.ts "$results/generated"
  diff -r src/runtime/generated "$results/generated"
}

# run_tap NAME FILE...: runs test files with tap, by the program $within if it is set, and adds up its assertions. A run
# that ends without tap's own totals, or that fails without a failed assertion, is a failure too.
run_tap() {
  local name=$1 output=$results/output.tap code totals run_passed run_failed
  shift
  if [ $# -eq 0 ]; then
    failed=$((failed + 1))
    note "FAILED: $name: there are no tests"
    return
  fi
  step "$name: $# files"
  code=0
  "${within:-env}" node scripts/run-tests.ts --jobs="$jobs" --timeout="${timeout:-300}" "$@" 2>&1 |
    tee "$output" | perl scripts/lib/tap-progress.pl >&2 || code=${PIPESTATUS[0]}
  totals=$(grep -aE '^# \{ total: [0-9]+' "$output" | tail -n 1) || totals=
  run_passed=$(total pass "$totals")
  run_failed=$(total fail "$totals")
  if [ -z "$totals" ] || { [ "$code" -ne 0 ] && [ "$run_failed" -eq 0 ]; }; then
    note "FAILED: tap ended with code $code and no failed assertion; the end of its output:"
    tail -n 20 "$output" >&2
    run_failed=$((run_failed + 1))
  fi
  passed=$((passed + run_passed))
  failed=$((failed + run_failed))
  note "$run_passed passed, $run_failed failed, $(total skip "$totals") skipped"
}

# total KEY TOTALS: a number of tap's `# { total: 5, pass: 2, fail: 1 }`; it leaves out those that are zero.
total() {
  local number
  number=$(sed -nE "s/.*[{ ]$1: ([0-9]+).*/\1/p" <<<"$2")
  echo "${number:-0}"
}

install_programs() {
  apt_install containerd runc containernetworking-plugins iproute2 iptables busybox-static catatonit \
    ca-certificates curl perl-base strace util-linux procps e2fsprogs dbus dbus-daemon python3-dbus python3-gi
  step "containerd and kubectl of other Debian releases, promtool, and a registry"
  containerd --version | grep -q ' 1\.6\.' || scripts/fetch-deb.sh bookworm containerd >/dev/null
  scripts/fetch-deb.sh sid containerd >/dev/null
  scripts/fetch-deb.sh sid kubectl >/dev/null
  scripts/fetch-deb.sh trixie kubectl >/dev/null
  # Not installed: the packages would start them.
  scripts/fetch-deb.sh bookworm docker-registry >/dev/null
  scripts/fetch-deb.sh bookworm prometheus >/dev/null
}

test_files() { find "$1" -name '*.test.ts' | sort; }

# Of the files on standard input those first that say that they wait for long: at the end all others would wait for them.
longest_first() {
  local files
  mapfile -t files
  grep -l '^// Waits for long\.' "${files[@]}" || :
  grep -L '^// Waits for long\.' "${files[@]}" || :
}

# integration LINE: all integration tests for the first containerd line; for the others those to which the runtime matters.
# On the first line the daemons of the tests of pods have no more rights than the installed service.
integration() {
  local files
  if [ "$1" = "$first_line" ]; then
    mapfile -t files < <(test_files test/integration | grep -v ^test/integration/pod/ | longest_first)
    tap_on "$1" "integration on containerd $1" "${files[@]}"
    mapfile -t files < <(test_files test/integration/pod)
    MINI_KUBELET_TEST_AS_SERVICE=yes within=scripts/with-systemd.sh \
      tap_on "$1" "pods with the rights of the service on containerd $1" "${files[@]}"
  else
    mapfile -t files < <(test_files test/integration | xargs grep -lE 'support/(containerd|daemon)\.ts' |
      xargs grep -L '^// Any runtime will do\.')
    tap_on "$1" "integration on containerd $1" "${files[@]}"
  fi
}

# tap_on LINE NAME FILE...: runs integration tests on that line of containerd.
tap_on() {
  local line=$1
  shift
  # Most of their time is waiting, for back-offs and grace periods.
  jobs=${MINI_KUBELET_TEST_JOBS:-$(($(nproc) * 2))}
  # The longest waits are bounds against hanging; a machine that does other work needs more than a quiet one.
  MINI_KUBELET_TEST_PATIENCE=${MINI_KUBELET_TEST_PATIENCE:-3} \
    MINI_KUBELET_TEST_LAUNCHER=$root/dist/mini-kubelet MINI_KUBELET_TEST_CONTAINERD=$line run_tap "$@"
}

# virtual_machine CODENAME: the tests in a machine of its own, which is thrown away afterwards.
virtual_machine() {
  local files
  export MINI_KUBELET_VM_DEBIAN=$1
  mapfile -t files < <(test_files test/vm)
  check "a virtual machine with Debian $1" scripts/vm.sh up
  MINI_KUBELET_VM=$(scripts/vm.sh state) jobs=1 timeout=7200 run_tap "in a virtual machine with Debian $1" "${files[@]}"
  scripts/vm.sh down
}

wanted=("$@")
[ $# -gt 0 ] || wanted=(check unit 1.6 2.1)
[ "${1:-}" != --all ] || wanted=(check unit 1.6 2.1 bookworm)
first_line=
for what in "${wanted[@]}"; do
  case $what in
    check | unit | bookworm | trixie) ;;
    1.6 | 1.7 | 2.1) first_line=${first_line:-$what} ;;
    *) fail "unknown part: $what" "usage: $0 [--all|check|unit|1.6|1.7|2.1|bookworm|trixie]..." ;;
  esac
done

if [ -n "$first_line" ]; then
  require_root
  require_debian
  install_programs
fi
provide_node
step "node $(node --version), tap $(npx --no-install tap --version)"
npx --no-install tap build >&2
# What is installed is what is tested.
check "build" node scripts/build.ts

for what in "${wanted[@]}"; do
  case $what in
    check)
      check "generated code is current" generated_code_is_current
      check "lint and format" npx --no-install biome check --error-on-warnings .
      check "types" npx --no-install tsc --noEmit
      check "shell scripts parse" bash -n scripts/*.sh scripts/lib/*.sh scripts/vm/*.sh packaging/*.sh
      ;;
    unit)
      mapfile -t files < <(test_files test/unit)
      jobs=$(nproc)
      run_tap "unit" "${files[@]}"
      ;;
    bookworm | trixie) virtual_machine "$what" ;;
    *) integration "$what" ;;
  esac
done
if [ -n "$first_line" ]; then
  check "nothing is left behind" node test/integration/support/sweep.ts
fi

echo "$passed passed, $failed failed"
exit $((failed > 0))
