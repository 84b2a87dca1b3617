import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { waitFor } from './wait.ts';

/** Reads a file of /proc; undefined when the process has ended meanwhile. */
function readProc(pid: number, name: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8');
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

function isGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH');
}

export function allPids(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** The command line with its arguments separated by spaces; empty for kernel threads and zombies. */
export function commandLine(pid: number): string {
  return (readProc(pid, 'cmdline') ?? '').replaceAll('\0', ' ').trim();
}

/** The fields of /proc/PID/stat after the command's name: state first, parent second. */
function statFields(pid: number): string[] | undefined {
  const text = readProc(pid, 'stat');
  return text?.slice(text.lastIndexOf(')') + 2).split(' ');
}

/** A zombie holds nothing any more, so it counts as dead. */
export function isAlive(pid: number): boolean {
  const state = statFields(pid)?.[0];
  return state !== undefined && state !== 'Z' && state !== 'X';
}

/** Whether SIGSTOP has reached every thread of the process. */
export function isStopped(pid: number): boolean {
  return readdirSync(`/proc/${pid}/task`).every((thread) => {
    const text = readProc(pid, `task/${thread}/stat`);
    return text === undefined || text.slice(text.lastIndexOf(')') + 2).startsWith('T');
  });
}

/** Clock ticks since boot at which the process started: tells it from a later process with the same pid. */
export function startTicks(pid: number): string | undefined {
  return statFields(pid)?.[19];
}

/** Processes whose command line contains the text. */
export function pidsByCommandLine(text: string): number[] {
  return allPids().filter((pid) => pid !== process.pid && commandLine(pid).includes(text));
}

/** Processes one of whose cgroups has a path that contains the text. */
export function pidsByCgroup(text: string): number[] {
  return allPids().filter((pid) => (readProc(pid, 'cgroup') ?? '').includes(text));
}

export function parentOf(pid: number): number {
  const parent = statFields(pid)?.[1];
  if (parent === undefined) throw new Error(`process ${pid} has ended`);
  return Number(parent);
}

export function childrenOf(parents: readonly number[]): number[] {
  const wanted = new Set(parents.map(String));
  return allPids().filter((pid) => wanted.has(statFields(pid)?.[1] ?? ''));
}

/** Kills exactly these processes and waits for their ends. */
export async function killAll(pids: readonly number[], signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  for (const pid of pids) sendSignal(pid, signal);
  await waitFor(`end of processes ${pids.join(', ')}`, () => pids.every((pid) => !isAlive(pid)));
}

/** Sends the signal; a process that has ended already is as good. */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

export function openFiles(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
    } catch (error) {
      if (isGone(error)) return [];
      throw error;
    }
  });
}
