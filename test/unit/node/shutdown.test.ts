import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import t from 'tap';
import { Logind } from '../../../src/node/logind.ts';
import { shutdownGroups, shutdownPeriods } from '../../../src/node/shutdown-groups.ts';
import type { BackgroundProgram, StartOptions } from '../../../src/util/exec.ts';
import { podWith } from '../pod/fixtures.ts';

t.test('critical pods end last, in the time that is kept for them', async (t) => {
  const plain = podWith({ priority: 1000 });
  const critical = podWith({ priority: 2_000_000_000 });
  const periods = shutdownPeriods({ totalMs: 30_000, criticalMs: 10_000, byPriority: [] });
  t.same(shutdownGroups([critical, plain, critical], periods), [
    { pods: [plain], periodMs: 20_000 },
    { pods: [critical, critical], periodMs: 10_000 },
  ]);
  t.same(shutdownGroups([plain], periods), [{ pods: [plain], periodMs: 20_000 }]);
  t.same(shutdownGroups([], periods), []);
});

t.test('pods end by priority where the configuration says so', async (t) => {
  const byPriority = [
    { priority: 1000, periodMs: 3_000 },
    { priority: 0, periodMs: 2_000 },
    { priority: 10_000, periodMs: 4_000 },
  ];
  const periods = shutdownPeriods({ totalMs: 0, criticalMs: 0, byPriority });
  const pods = [-5, 0, 999, 1000, 2_000_000_000].map((priority) => podWith({ priority }));
  t.same(
    shutdownGroups(pods, periods).map((group) => [group.pods.map(({ spec }) => spec.priority), group.periodMs]),
    [
      [[-5, 0, 999], 2_000],
      [[1000], 3_000],
      [[2_000_000_000], 4_000],
    ],
  );
  t.same(shutdownPeriods({ totalMs: 0, criticalMs: 0, byPriority: [] }), [], 'the shutdown is not held up');
});

t.test('logind is told to wait for long enough', async (t) => {
  const settingsDirectory = join(t.testdir(), 'logind.conf.d');
  const calls: string[] = [];
  const { promise: locked, resolve } = Promise.withResolvers<void>();
  let allowedMicros = 5_000_000;
  const program = (options: StartOptions): BackgroundProgram => {
    const ended = Promise.withResolvers<string>();
    return {
      write: (text) => {
        options.onLine(text.trim());
        resolve();
      },
      stop: async () => ended.resolve('stopped'),
      ended: ended.promise,
    };
  };
  const logind = new Logind({
    run: async (_file, args) => {
      const call = args.slice(2).join(' ');
      calls.push(call);
      if (call.includes('KillUnit')) allowedMicros = 45_000_000;
      const data = call.endsWith('InhibitDelayMaxUSec') ? allowedMicros : false;
      return { stdout: JSON.stringify({ data }), stderr: '' };
    },
    start: (file, _args, options) => {
      if (file === 'busctl') queueMicrotask(() => options.onLine('Monitoring bus message stream.'));
      return program(options);
    },
    logger: pino({ enabled: false }),
    holdMs: 45_000,
    busAddress: undefined,
    settingsDirectory,
    onPrepare: () => t.fail('nothing is prepared for'),
  });
  logind.start();
  await locked;
  await logind.stop();
  t.match(readFileSync(join(settingsDirectory, '50-mini-kubelet.conf'), 'utf8'), /^\[Login\]\nInhibitDelayMaxSec=45$/m);
  t.ok(calls.some((call) => call.endsWith('KillUnit ssi systemd-logind.service all 1')));
});
