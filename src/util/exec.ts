import { ExecaError, execa } from 'execa';

export interface RunOptions {
  /** Kills the program with SIGKILL after this many milliseconds. Default 60 000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Written to standard input; without it standard input is empty. */
  readonly input?: string | Uint8Array;
  /** Added to the program's environment, which otherwise holds PATH and LANG only. */
  readonly env?: Readonly<Record<string, string>>;
  /**
   * For programs that start others: at the deadline or an abort all of them are killed. Without it one of them that has the
   * output open is waited for.
   */
  readonly withChildren?: boolean;
}

const ENVIRONMENT = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8' };

/** A program that could not be started, failed, or ran past its deadline. */
export class ExecError extends Error {
  readonly file: string;
  readonly args: readonly string[];
  /** Undefined when the program did not run to its end. */
  readonly exitCode: number | undefined;
  readonly stderr: string;

  constructor(file: string, args: readonly string[], exitCode: number | undefined, stderr: string, cause: unknown) {
    const detail = stderr.trim() || (cause instanceof Error ? cause.message : String(cause));
    super(`${file}: ${exitCode === undefined ? '' : `exit code ${exitCode}: `}${detail}`, { cause });
    this.name = 'ExecError';
    this.file = file;
    this.args = args;
    this.exitCode = exitCode;
    this.stderr = stderr;
  }
}

/**
 * Runs a program to its end. Never through a shell, and with an environment of its own, so that neither a manifest's
 * text nor the daemon's environment can reach the program in another role than that of an argument.
 *
 * @throws ExecError on a missing program, a non-zero exit code, the deadline or an abort.
 */
export async function run(
  file: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<{ stdout: string; stderr: string }> {
  const timeoutMs = options.timeoutMs ?? 60_000;
  try {
    const program = execa(file, [...args], {
      shell: false,
      extendEnv: false,
      env: { ...ENVIRONMENT, ...options.env },
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
      // The leader of a process group of its own.
      detached: options.withChildren ?? false,
      maxBuffer: 8 * 1024 * 1024,
      ...(options.input === undefined ? { stdin: 'ignore' as const } : { input: options.input }),
      ...(options.signal ? { cancelSignal: options.signal } : {}),
    });
    const { pid } = program;
    const callOff =
      options.withChildren && pid !== undefined ? killGroupAfter(pid, timeoutMs, options.signal) : undefined;
    const result = await program.finally(callOff);
    return { stdout: result.stdout, stderr: result.stderr };
  } catch (error) {
    if (error instanceof ExecaError) {
      throw new ExecError(file, args, error.exitCode, String(error.stderr ?? ''), error);
    }
    throw error;
  }
}

/** @returns a function that calls it off. */
function killGroupAfter(pid: number, timeoutMs: number, signal: AbortSignal | undefined): () => void {
  const kill = () => {
    try {
      process.kill(-pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  };
  const timer = setTimeout(kill, timeoutMs);
  signal?.addEventListener('abort', kill, { once: true });
  return () => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', kill);
  };
}

/** A program that runs beside the daemon. */
export interface BackgroundProgram {
  /** Writes to its standard input. */
  write(text: string): void;
  /** Ends it: its standard input is closed, and SIGTERM sent, then SIGKILL. Resolves when it has ended. */
  stop(): Promise<void>;
  /** Resolves with the reason when it has ended, for whatever reason; also when it could not be started. */
  readonly ended: Promise<string>;
}

export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Called with each line that it writes, to standard output or error. */
  onLine(line: string): void;
}

/** Starts a program that runs until it is stopped. As with `run` there is no shell, and no environment but its own. */
export function start(file: string, args: readonly string[], options: StartOptions): BackgroundProgram {
  const program = execa(file, [...args], {
    shell: false,
    extendEnv: false,
    env: { ...ENVIRONMENT, ...options.env },
    stdin: 'pipe',
    buffer: false,
    reject: false,
    all: true,
    forceKillAfterDelay: 2000,
  });
  program.stdin.on('error', () => {});
  const read = async () => {
    for await (const line of program.iterable({ from: 'all' })) options.onLine(line);
  };
  const ended = Promise.all([program, read().catch(() => {})]).then(
    ([result]) => result.shortMessage ?? `${file} has ended with code ${result.exitCode}`,
  );
  return {
    write: (text) => void program.stdin.write(text),
    stop: async () => {
      program.stdin.end();
      program.kill('SIGTERM');
      await ended;
    },
    ended,
  };
}
