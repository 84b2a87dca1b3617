import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import type { DaemonFixture } from '../support/daemon.ts';
import { sendSignal } from '../support/processes.ts';
import { waitFor } from '../support/wait.ts';

/**
 * Kills the daemon with SIGKILL at the n-th call of a system call that one of its threads makes during `work`. strace
 * counts for each thread. A program that the daemon started (mount) is killed at its own calls in the same way.
 *
 * @returns whether the daemon was killed: false when `work` was done with fewer calls.
 */
export async function killAtSystemCall(
  daemon: DaemonFixture,
  systemCall: string,
  nth: number,
  work: () => Promise<unknown>,
): Promise<boolean> {
  const { pid } = daemon;
  const inject = `inject=${systemCall}:signal=SIGKILL:when=${nth}`;
  const args = ['-f', '-qqq', '-o', '/dev/null', '-e', `trace=${systemCall}`, '-e', inject, '-p', String(pid)];
  const tracer = spawn('strace', args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const tracerEnd = new Promise<void>((resolve, reject) => tracer.once('exit', () => resolve()).once('error', reject));
  const end = daemon.exited().then(() => true);
  try {
    await waitFor('strace to hold every thread of the daemon', () => isTraced(pid));
    return await Promise.race([end, work().then(() => false)]);
  } finally {
    // Detaches, where the daemon is still alive.
    if (tracer.pid !== undefined) sendSignal(tracer.pid, 'SIGTERM');
    await tracerEnd;
  }
}

function isTraced(pid: number): boolean {
  return readdirSync(`/proc/${pid}/task`).every((task) =>
    /^TracerPid:\s*[1-9]/m.test(readFileSync(`/proc/${pid}/task/${task}/status`, 'utf8')),
  );
}
