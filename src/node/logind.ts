import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { BackgroundProgram, run, start } from '../util/exec.ts';
import type { Logger } from '../util/log.ts';

export interface LogindOptions {
  readonly run: typeof run;
  readonly start: typeof start;
  readonly logger: Logger;
  /** How long the machine's shutdown has to be held up. */
  readonly holdMs: number;
  /** `DBUS_SYSTEM_BUS_ADDRESS`; undefined for where the system bus usually is. */
  readonly busAddress: string | undefined;
  /** Where logind reads settings that live until the next boot. */
  readonly settingsDirectory: string;
  /** The machine is about to go down, or, with false, is not any more. */
  onPrepare(isStarting: boolean): void;
}

const SERVICE = 'org.freedesktop.login1';
const MANAGER = 'org.freedesktop.login1.Manager';
const MATCH = `type='signal',sender='${SERVICE}',interface='${MANAGER}',member='PrepareForShutdown'`;
const SETTINGS_FILE = '50-mini-kubelet.conf';
const RETRY_MS = 5000;
/** By then `busctl monitor` listens, also where it does not say so. */
const LISTEN_TIMEOUT_MS = 3000;
const LOCK_TIMEOUT_MS = 5000;
const LOCKED = 'locked';

/**
 * systemd-logind, by systemd's own programs: Node has no way to take the file descriptor that is a lock
 * (org.freedesktop.login1(5)). A delay lock makes the machine wait for us; `busctl monitor` tells when it begins to go
 * down. Both are taken anew when the bus or logind was restarted, and both go with this process.
 */
export class Logind {
  readonly #options: LogindOptions;
  #monitor: BackgroundProgram | undefined;
  #lock: BackgroundProgram | undefined;
  readonly #stopped = new AbortController();
  #following: Promise<void> | undefined;

  constructor(options: LogindOptions) {
    this.#options = options;
  }

  /** Where there is no logind it is tried again for ever. */
  start(): void {
    this.#following = this.#follow();
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#monitor?.stop();
    await this.release();
    await this.#following;
  }

  /** Takes the lock, unless it is held. @throws Error when logind gives none. */
  async hold(): Promise<void> {
    if (this.#lock || this.#stopped.signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const why = 'Pods have to end before the machine goes down';
    const args = ['--what=shutdown', '--mode=delay', '--who=mini-kubelet', `--why=${why}`, 'cat'];
    const lock = this.#options.start('systemd-inhibit', args, {
      env: this.#env(),
      onLine: (line) => {
        if (line === LOCKED) resolve();
      },
    });
    this.#lock = lock;
    // `cat` runs, and so answers, only when the lock is held. It ends with its input, and so with this process.
    lock.write(`${LOCKED}\n`);
    const time = delay(LOCK_TIMEOUT_MS, 'it does not answer', { ref: false });
    const failure = await Promise.race([promise, lock.ended, time]);
    if (failure === undefined) return;
    await this.release();
    throw new Error(`systemd-logind gives no lock: ${failure}`);
  }

  /** Gives the lock back: the machine may go down. */
  async release(): Promise<void> {
    const lock = this.#lock;
    this.#lock = undefined;
    await lock?.stop();
  }

  async #follow(): Promise<void> {
    const { logger } = this.#options;
    const { signal } = this.#stopped;
    let hasFailed = false;
    while (!signal.aborted) {
      try {
        const reason = await this.#listen();
        if (!signal.aborted) logger.warn({ reason }, 'nobody tells of the shutdown of the machine any more');
      } catch (error) {
        // Said once, and not every few seconds.
        const level = hasFailed ? 'debug' : 'warn';
        hasFailed = true;
        logger[level]({ err: error }, 'systemd-logind cannot be asked: pods will not be ended before a shutdown');
      }
      await this.#monitor?.stop();
      await this.release();
      // Stopped while waiting: the loop ends.
      await delay(RETRY_MS, undefined, { signal }).catch(() => {});
    }
  }

  /** Listens, then takes the lock, so that nothing happens unnoticed in between. Returns, at the end, why it ended. */
  async #listen(): Promise<string> {
    const { promise: listening, resolve } = Promise.withResolvers<void>();
    const monitor = this.#options.start('busctl', ['--system', '--json=short', `--match=${MATCH}`, 'monitor'], {
      env: this.#env(),
      onLine: (line) => {
        resolve();
        const isStarting = prepareForShutdown(line);
        if (isStarting !== undefined) this.#options.onPrepare(isStarting);
      },
    });
    this.#monitor = monitor;
    await Promise.race([listening, monitor.ended, delay(LISTEN_TIMEOUT_MS, undefined, { ref: false })]);
    await this.#ensureDelay();
    await this.hold();
    if (await this.#property('PreparingForShutdown')) this.#options.onPrepare(true);
    this.#options.logger.info('a shutdown of the machine waits for the pods');
    return await monitor.ended;
  }

  /** logind waits for locks no longer than its own setting says: it is raised for as long as the machine is up. */
  async #ensureDelay(): Promise<void> {
    const { holdMs, settingsDirectory, logger } = this.#options;
    const allowedMs = async () => Number(await this.#property('InhibitDelayMaxUSec')) / 1000;
    if ((await allowedMs()) >= holdMs) return;
    await mkdir(settingsDirectory, { recursive: true });
    const text = `# Written by mini-kubelet for its shutdownGracePeriod.\n[Login]\nInhibitDelayMaxSec=${Math.ceil(holdMs / 1000)}\n`;
    await writeFile(join(settingsDirectory, SETTINGS_FILE), text, { mode: 0o644 });
    const manager = ['org.freedesktop.systemd1', '/org/freedesktop/systemd1', 'org.freedesktop.systemd1.Manager'];
    await this.#busctl('call', ...manager, 'KillUnit', 'ssi', 'systemd-logind.service', 'all', '1');
    for (let attempt = 0; attempt < 10; attempt++) {
      if ((await allowedMs()) >= holdMs) return;
      await delay(200, undefined, { signal: this.#stopped.signal });
    }
    logger.warn(
      { wantedMs: holdMs, allowedMs: await allowedMs() },
      'systemd-logind waits for less than shutdownGracePeriod',
    );
  }

  async #property(name: string): Promise<unknown> {
    const { stdout } = await this.#busctl('get-property', SERVICE, '/org/freedesktop/login1', MANAGER, name);
    return (JSON.parse(stdout) as { data?: unknown }).data;
  }

  #busctl(...args: string[]) {
    return this.#options.run('busctl', ['--system', '--json=short', ...args], { env: this.#env(), timeoutMs: 10_000 });
  }

  #env(): Record<string, string> {
    const { busAddress } = this.#options;
    return busAddress === undefined ? {} : { DBUS_SYSTEM_BUS_ADDRESS: busAddress };
  }
}

/** What a line of `busctl monitor` says of the signal; undefined for any other line. PURE. */
function prepareForShutdown(line: string): boolean | undefined {
  if (!line.startsWith('{')) return undefined;
  const message = JSON.parse(line) as { member?: string; payload?: { data?: unknown[] } };
  const [isStarting] = message.payload?.data ?? [];
  return message.member === 'PrepareForShutdown' && typeof isStarting === 'boolean' ? isStarting : undefined;
}
