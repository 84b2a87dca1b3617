import { join } from 'node:path';
import { execa } from 'execa';
import { debianPackage } from './machine.ts';

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface KubectlOptions {
  readonly input?: string;
  readonly timeoutMs?: number;
  /** The Debian release that it is from. */
  readonly suite?: 'sid' | 'trixie';
}

/**
 * Runs the kubectl of a Debian release (of the one in development, unless told otherwise), so that every machine tests
 * against the same ones. A non-zero exit code is a result, not an error.
 */
export async function kubectl(
  kubeconfig: string,
  args: readonly string[],
  options: KubectlOptions = {},
): Promise<CommandResult> {
  const program = join(await debianPackage(options.suite ?? 'sid', 'kubectl'), 'usr/bin/kubectl');
  // A cache of its own: discovery is cached by address, and the next test's daemon may get the same port.
  const all = [`--kubeconfig=${kubeconfig}`, `--cache-dir=${kubeconfig}.cache`, ...args];
  const result = await execa(program, all, {
    reject: false,
    extendEnv: false,
    env: { PATH: '/usr/bin:/bin', HOME: '/nonexistent' },
    timeout: options.timeoutMs ?? 60_000,
    input: options.input ?? '',
  });
  if (result.exitCode === undefined) throw new Error(`kubectl ${args.join(' ')}: ${result.shortMessage}`);
  return { exitCode: result.exitCode, stdout: result.stdout, stderr: result.stderr };
}
