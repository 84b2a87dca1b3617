#!/usr/bin/env bash
# Runs in the virtual machine of scripts/vm.sh: what it has besides that which scripts/install.sh gives to any machine.
set -Eeuo pipefail

# The machine's API listens for the port of the host that leads there; it is TLS with credentials, as everywhere.
mkdir -p -m 0700 /etc/mini-kubelet/config.yaml.d
echo 'address: 0.0.0.0' >/etc/mini-kubelet/config.yaml.d/10-vm.yaml

# An emulated machine on a busy host can be a hundred times slower than a real one: what elsewhere means "it hangs" must
# not mean "it is slow" here.
mkdir -p /etc/systemd/system/mini-kubelet.service.d
cat >/etc/systemd/system/mini-kubelet.service.d/10-vm.conf <<'END'
[Service]
TimeoutStartSec=15min
TimeoutStopSec=60
WatchdogSec=2min
END

exec /vagrant/scripts/install.sh
