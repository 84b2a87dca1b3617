import { pino } from 'pino';
import t from 'tap';
import { SystemdNotifier } from '../../../src/util/sd-notify.ts';

const logger = pino({ level: 'silent' });
const base = { socket: '/run/n', watchdogMicros: '30000000', watchdogPid: '7', pid: 7, logger };

function recorder(outcome: () => void = () => {}) {
  const messages: string[] = [];
  const run = async (file: string, args: readonly string[], options?: { env?: Readonly<Record<string, string>> }) => {
    messages.push([file, ...args, options?.env?.NOTIFY_SOCKET].join(' '));
    outcome();
    return { stdout: '', stderr: '' };
  };
  return { messages, run };
}

t.test('the watchdog is fed at half its time, and only if it is meant for this process', async (t) => {
  t.equal(new SystemdNotifier(base).watchdogIntervalMs, 15_000);
  t.equal(new SystemdNotifier({ ...base, watchdogPid: undefined }).watchdogIntervalMs, 15_000);
  t.equal(new SystemdNotifier({ ...base, watchdogPid: '8' }).watchdogIntervalMs, undefined);
  t.equal(new SystemdNotifier({ ...base, watchdogMicros: undefined }).watchdogIntervalMs, undefined);
  t.equal(new SystemdNotifier({ ...base, watchdogMicros: 'x' }).watchdogIntervalMs, undefined);
  t.equal(new SystemdNotifier({ ...base, socket: undefined }).watchdogIntervalMs, undefined);
});

t.test('systemd hears when the service is ready, lives and stops', async (t) => {
  const { messages, run } = recorder();
  const notifier = new SystemdNotifier({ ...base, run });
  await notifier.ready(() => true);
  await notifier.stopping();
  t.strictSame(
    messages,
    ['READY=1', 'WATCHDOG=1', 'STOPPING=1'].map((message) => `systemd-notify --no-block ${message} /run/n`),
  );
});

t.test('a service that is not healthy does not feed the watchdog', async (t) => {
  const { messages, run } = recorder();
  const notifier = new SystemdNotifier({ ...base, run });
  await notifier.ready(() => false);
  await notifier.stopping();
  t.strictSame(
    messages.filter((message) => message.includes('WATCHDOG')),
    [],
  );
});

t.test('without systemd nothing is run, and a failing systemd-notify harms nobody', async (t) => {
  const { messages, run } = recorder(() => {
    throw new Error('no such program');
  });
  await new SystemdNotifier({ ...base, socket: undefined, run }).ready(() => true);
  t.strictSame(messages, []);
  const notifier = new SystemdNotifier({ ...base, watchdogMicros: undefined, run });
  await notifier.ready(() => true);
  await notifier.stopping();
  t.equal(messages.length, 2);
});
