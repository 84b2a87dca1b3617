import { run as runProgram } from './exec.ts';
import type { Logger } from './log.ts';

export interface SystemdNotifierOptions {
  /** `NOTIFY_SOCKET` of the environment; undefined when nobody wants to be told. */
  readonly socket: string | undefined;
  /** `WATCHDOG_USEC` of the environment. */
  readonly watchdogMicros: string | undefined;
  /** `WATCHDOG_PID` of the environment: the watchdog is meant for this process only. */
  readonly watchdogPid: string | undefined;
  readonly pid: number;
  readonly logger: Logger;
  readonly run?: typeof runProgram;
}

/**
 * Tells systemd about the service (sd_notify(3)). Node has no datagram sockets in the file system, so each message is
 * one run of `systemd-notify`: 3 ms of CPU, once in 15 s for the watchdog.
 *
 * `NotifyAccess=main` suffices: systemd-notify sends in the name of the process that called it, which root may do.
 * Messages are never waited for by the daemon's own work, and a failed one is logged: if systemd does not hear from the
 * service it acts by itself.
 */
export class SystemdNotifier {
  readonly #options: SystemdNotifierOptions;
  #watchdog: NodeJS.Timeout | undefined;
  #isHealthy: (() => boolean) | undefined;

  constructor(options: SystemdNotifierOptions) {
    this.#options = options;
  }

  /** Whether systemd waits to be told. */
  get isWanted(): boolean {
    return this.#options.socket !== undefined;
  }

  /** How often the watchdog must be fed, with room for one late message; undefined without a watchdog. */
  get watchdogIntervalMs(): number | undefined {
    const { watchdogMicros, watchdogPid, pid } = this.#options;
    if (!this.isWanted || watchdogMicros === undefined) return undefined;
    if (watchdogPid !== undefined && Number(watchdogPid) !== pid) return undefined;
    const micros = Number(watchdogMicros);
    return Number.isSafeInteger(micros) && micros > 0 ? micros / 2000 : undefined;
  }

  /** The service is up. From now on the watchdog is fed, as long as `isHealthy` says so. */
  async ready(isHealthy: () => boolean): Promise<void> {
    await this.#send('READY=1');
    const intervalMs = this.watchdogIntervalMs;
    if (intervalMs === undefined) return;
    this.#isHealthy = isHealthy;
    this.#watchdog = setInterval(() => void this.#feed(), intervalMs);
    await this.#feed();
  }

  /** The service is on its way down: the watchdog is fed no more, and systemd waits for TimeoutStopSec. */
  async stopping(): Promise<void> {
    clearInterval(this.#watchdog);
    this.#watchdog = undefined;
    await this.#send('STOPPING=1');
  }

  async #feed(): Promise<void> {
    if (this.#isHealthy?.() === false) {
      this.#options.logger.error('the service is not healthy: the watchdog is not fed');
      return;
    }
    await this.#send('WATCHDOG=1');
  }

  async #send(message: string): Promise<void> {
    const { socket, logger } = this.#options;
    if (socket === undefined) return;
    try {
      await (this.#options.run ?? runProgram)('systemd-notify', ['--no-block', message], {
        timeoutMs: 5000,
        env: { NOTIFY_SOCKET: socket },
      });
    } catch (error) {
      logger.error({ err: error, message }, 'systemd could not be told');
    }
  }
}
