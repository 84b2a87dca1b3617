# shellcheck shell=bash
# Sourced by the scripts beside it: progress lines, errors that say what to do, and a few questions about the machine.

# One line for each step, so that somebody who waits sees what is going on.
step() { printf '==> %s\n' "$*" >&2; }
note() { printf '    %s\n' "$*" >&2; }

# fail MESSAGE [WHAT TO DO]...
fail() {
  printf 'error: %s\n' "$1" >&2
  shift
  for hint in "$@"; do printf '       %s\n' "$hint" >&2; done
  exit 1
}

# Prints what the calling script says of itself at its top.
usage() {
  sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
  exit 0
}

# An unforeseen failure still names the command and the line (set -E makes functions inherit the trap).
report_unforeseen() {
  local code=$? line=$1 command=$2
  printf 'error: line %s of %s: %s (exit code %s)\n' "$line" "${BASH_SOURCE[1]:-$0}" "$command" "$code" >&2
}
trap 'report_unforeseen "$LINENO" "$BASH_COMMAND"' ERR

require_root() {
  [ "$(id -u)" -eq 0 ] || fail "this needs root" "run: sudo $0"
}

has() { command -v "$1" >/dev/null 2>&1; }

# systemctl exists in many containers and minimal machines; this is true only where systemd runs as init.
systemd_runs() { [ -d /run/systemd/system ]; }

# True when a file holds the pid of a live process whose command line contains the given text. A pid alone proves
# nothing: it may have been given to another process since.
pid_file_alive() {
  local file=$1 text=$2 pid
  [ -s "$file" ] || return 1
  read -r pid <"$file" || return 1
  [[ $pid =~ ^[0-9]+$ ]] || return 1
  tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF -- "$text"
}

# wait_until SECONDS COMMAND...: runs the command until it succeeds; false when the time is over.
wait_until() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$deadline" ] || return 1
    sleep 0.1
  done
}

# Bit 24 of the bounding and effective sets. Containers and some virtual machines take it away, and then no process
# may lower an oom_score_adj.
has_cap_sys_resource() {
  local effective
  effective=$(awk '/^CapEff:/ { print $2 }' /proc/self/status)
  (((16#$effective >> 24) & 1))
}
