import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../../src/util/exec.ts';
import { kubectl as anyKubectl, type CommandResult } from '../../integration/support/kubectl.ts';
import { projectRoot } from '../../integration/support/machine.ts';
import { waitFor } from '../../integration/support/wait.ts';

/** The running virtual machine: `scripts/vm.sh test` says where its files are. */

const state = process.env.MINI_KUBELET_VM ?? '';
if (state === '') throw new Error('run this by scripts/vm.sh test');

const kubeconfig = join(state, 'admin.kubeconfig');
const vmScript = join(projectRoot, 'scripts/vm.sh');
const forwarded = ['MINI_KUBELET_VM_DEBIAN', 'MINI_KUBELET_CACHE', 'XDG_CACHE_HOME'];
const env = Object.fromEntries(forwarded.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));

/** What runs scripts/vm.sh with these arguments, for whoever wants its streams. */
export function vmCommand(args: readonly string[]): [string, string[], { env: NodeJS.ProcessEnv }] {
  return [vmScript, [...args], { env: { ...process.env, ...env } }];
}

/** scripts/vm.sh with other arguments: `kill`, `start`. */
export async function vm(command: string): Promise<void> {
  await run(vmScript, [command], { env, timeoutMs: 1_800_000 });
}

/** Runs a script of bash in the machine as root. @returns what it writes, without spaces around. @throws ExecError */
export async function inVm(script: string, timeoutMs = 900_000): Promise<string> {
  const input = `set -euo pipefail\ncd /vagrant\n${script}\n`;
  return (await run(vmScript, ['ssh', 'bash -s'], { env, input, timeoutMs })).stdout.trim();
}

/** Waits until the script succeeds. */
export async function untilInVm(what: string, script: string, timeoutMs = 600_000): Promise<string> {
  let output = '';
  await waitFor(
    what,
    async () => {
      output = await inVm(script, timeoutMs);
      return true;
    },
    timeoutMs,
  );
  return output;
}

/** The administrator's kubeconfig, for the port of this host that leads to the API. */
export async function fetchKubeconfig(): Promise<void> {
  const port = /^api_port=(\d+)$/m.exec(readFileSync(join(state, 'ports'), 'utf8'))?.[1];
  const text = await inVm('cat /etc/mini-kubelet/admin.kubeconfig');
  writeFileSync(kubeconfig, text.replace(/server: .*/, `server: https://127.0.0.1:${port}`), { mode: 0o600 });
}

/** kubectl on this host, through TLS. */
export function tryKubectl(args: readonly string[], input = ''): Promise<CommandResult> {
  return anyKubectl(kubeconfig, args, { input, timeoutMs: 1_800_000 });
}

/** The same, where a failure is an error. */
export async function kubectl(args: readonly string[], input = ''): Promise<string> {
  const result = await tryKubectl(args, input);
  if (result.exitCode !== 0) throw new Error(`kubectl ${args.join(' ')}: ${result.stderr}`);
  return result.stdout.trim();
}

export async function apply(manifest: object): Promise<void> {
  await kubectl(['create', '-f', '-'], JSON.stringify(manifest));
}

export function untilReady(pod: string): Promise<string> {
  return kubectl(['wait', '--for=condition=Ready', `pod/${pod}`, '--timeout=900s']);
}
