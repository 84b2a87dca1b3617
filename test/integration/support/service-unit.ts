import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from './machine.ts';

/** Settings of the service that have nothing to do with what its process may do. */
const notRights = /^(Type|NotifyAccess|Exec|Watchdog|Restart|Timeout|KillMode|State|Runtime|Configuration)/;

/**
 * The command that runs another with the rights of the installed service: its capabilities, its filter of system calls
 * and all else that packaging/mini-kubelet.service takes away. Needs a running systemd.
 */
export function asService(
  unit: string,
  [file, args]: readonly [string, readonly string[]],
  env: Readonly<Record<string, string>> = {},
): [string, string[]] {
  const text = readFileSync(join(projectRoot, 'packaging/mini-kubelet.service'), 'utf8');
  const section = text.slice(text.indexOf('[Service]'), text.indexOf('[Install]')).replaceAll('\\\n', ' ');
  const rights = section.split('\n').filter((line) => /^[A-Z]\w+=/.test(line) && !notRights.test(line));
  const properties = rights.flatMap((line) => ['--property', line]);
  const variables = Object.entries(env).map(([name, value]) => `--setenv=${name}=${value}`);
  const how = ['--quiet', '--pipe', '--wait', '--collect', `--unit=${unit}`, ...variables, ...properties];
  return ['systemd-run', [...how, file, ...args]];
}

/** The process of such a command. */
export function mainPid(unit: string): number {
  return Number(execFileSync('systemctl', ['show', '--value', '--property=MainPID', unit], { encoding: 'utf8' }));
}
