import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { waitFor } from '../wait.ts';

/** Everything is allowed on it, but nobody else is on it. */
const busConfig = (socket: string) => `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
  "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=${socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
    <allow own="*"/>
    <allow user="*"/>
  </policy>
</busconfig>
`;

/** A bus of its own with something on it that answers as systemd-logind does: see fake-logind.py. */
export class FakeLogind {
  readonly #directory = mkdtempSync('/tmp/mk-bus-');
  readonly #lines: string[] = [];
  #bus: ChildProcess | undefined;
  #logind: ChildProcess | undefined;

  /** For `DBUS_SYSTEM_BUS_ADDRESS`. */
  get address(): string {
    return `unix:path=${this.#directory}/bus`;
  }

  /** @param delaySeconds how long it waits for locks: InhibitDelayMaxSec. */
  async start(delaySeconds = 30): Promise<void> {
    const config = join(this.#directory, 'bus.conf');
    writeFileSync(config, busConfig(join(this.#directory, 'bus')));
    this.#bus = spawn('dbus-daemon', [`--config-file=${config}`, '--nofork', '--nopidfile', '--nosyslog'], {
      stdio: 'ignore',
    });
    await waitFor('the bus', () => existsSync(join(this.#directory, 'bus')));
    const script = join(import.meta.dirname, 'fake-logind.py');
    // The distribution's Python, which has the packages python3-dbus and python3-gi.
    const logind = spawn('/usr/bin/python3', [script, String(delaySeconds * 1_000_000)], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { DBUS_SYSTEM_BUS_ADDRESS: this.address },
    });
    this.#logind = logind;
    createInterface({ input: logind.stdout }).on('line', (line) => this.#lines.push(line));
    await waitFor('the fake of logind', () => this.#lines.includes('ready'));
  }

  /** The locks that are held now. */
  get locks(): number {
    const count = (word: string) => this.#lines.filter((line) => line.startsWith(word)).length;
    return count('locked shutdown mini-kubelet delay') - count('released');
  }

  /** Tells everybody that the machine is about to go down; `cancel` that it is not. */
  announce(what: 'shutdown' | 'cancel'): void {
    this.#logind?.stdin?.write(`${what}\n`);
  }

  async stop(): Promise<void> {
    for (const process of [this.#logind, this.#bus]) {
      if (!process || process.exitCode !== null) continue;
      const ended = once(process, 'exit');
      process.kill('SIGKILL');
      await ended;
    }
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
