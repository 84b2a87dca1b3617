import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import type { CommandResult } from './kubectl.ts';
import { debianPackage } from './machine.ts';
import { waitFor } from './wait.ts';

export interface StreamingClient {
  readonly suite: 'sid' | 'trixie';
  /** False: SPDY, which kubectl only speaks first when it is told to. */
  readonly webSockets: boolean;
}

const programs = {
  sid: join(await debianPackage('sid', 'kubectl'), 'usr/bin/kubectl'),
  trixie: join(await debianPackage('trixie', 'kubectl'), 'usr/bin/kubectl'),
};

function commandLine(kubeconfig: string, { suite }: StreamingClient, args: readonly string[]): string[] {
  return [programs[suite], `--kubeconfig=${kubeconfig}`, `--cache-dir=${kubeconfig}.cache`, ...args];
}

function environment({ webSockets }: StreamingClient): NodeJS.ProcessEnv {
  return {
    PATH: '/usr/bin:/bin',
    HOME: '/nonexistent',
    KUBECTL_REMOTE_COMMAND_WEBSOCKETS: String(webSockets),
    KUBECTL_PORT_FORWARD_WEBSOCKETS: String(webSockets),
  };
}

/** A kubectl that goes on while the test looks at it. */
export class Running {
  /** 255 for one that a signal ended. */
  readonly exitCode: Promise<number>;
  /** Bytes on stdout, of which the last are in `output`. */
  received = 0;
  readonly #child: ChildProcess;
  #output = '';
  #errors = '';

  constructor(child: ChildProcess) {
    this.#child = child;
    this.exitCode = new Promise((resolve) => child.once('close', (code) => resolve(code ?? 255)));
    // It may have ended before it read all.
    child.stdin?.on('error', () => {});
    child.stdout?.on('data', (chunk: Buffer) => {
      this.received += chunk.length;
      this.#output = (this.#output + chunk.toString('latin1')).slice(-100_000);
    });
    child.stderr?.on('data', (chunk: Buffer) => {
      this.#errors += chunk.toString('latin1');
    });
  }

  output(): string {
    return this.#output;
  }

  errors(): string {
    return this.#errors;
  }

  type(text: string): void {
    this.#child.stdin?.write(text);
  }

  endInput(): void {
    this.#child.stdin?.end();
  }

  pause(): void {
    this.#child.stdout?.pause();
  }

  resume(): void {
    this.#child.stdout?.resume();
  }

  async prints(pattern: RegExp): Promise<void> {
    await waitFor(`${pattern} in the output`, () => pattern.test(this.#output) || pattern.test(this.#errors));
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    await this.exitCode;
  }
}

export function startKubectl(kubeconfig: string, client: StreamingClient, args: readonly string[]): Running {
  const [program = '', ...rest] = commandLine(kubeconfig, client, args);
  return new Running(spawn(program, rest, { env: environment(client) }));
}

/** Runs it to its end, with `input` as its stdin. A non-zero exit code is a result. */
export async function runKubectl(
  kubeconfig: string,
  client: StreamingClient,
  args: readonly string[],
  input: Buffer | string = '',
): Promise<CommandResult> {
  const [program = '', ...rest] = commandLine(kubeconfig, client, args);
  const child = spawn(program, rest, { env: environment(client), timeout: 60_000 });
  const running = new Running(child);
  child.stdin.end(input);
  return { exitCode: await running.exitCode, stdout: running.output(), stderr: running.errors() };
}

/** A kubectl at a terminal of its own, made by util-linux's script. */
export class Terminal extends Running {
  readonly #ttyFile: string;

  constructor(child: ChildProcess, ttyFile: string) {
    super(child);
    this.#ttyFile = ttyFile;
  }

  async shows(pattern: RegExp): Promise<void> {
    await this.prints(pattern);
  }

  /** As a window that is made larger. */
  resize(rows: number, columns: number): void {
    spawn('sh', ['-c', `stty rows ${rows} cols ${columns} < "$(cat ${this.#ttyFile})"`], { stdio: 'inherit' });
  }
}

export function terminal(
  kubeconfig: string,
  client: StreamingClient,
  args: readonly string[],
  size: { readonly rows: number; readonly columns: number },
): Terminal {
  const ttyFile = `${kubeconfig}.tty`;
  const line = commandLine(kubeconfig, client, args).join(' ');
  const setUp = `tty > ${ttyFile}; stty rows ${size.rows} cols ${size.columns}`;
  const child = spawn('script', ['-qec', `${setUp}; exec ${line}`, '/dev/null'], { env: environment(client) });
  return new Terminal(child, ttyFile);
}
