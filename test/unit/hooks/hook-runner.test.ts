import t from 'tap';
import type { LifecycleHandler } from '../../../src/api/pod.ts';
import { type HookReports, HookRunner } from '../../../src/hooks/hook-runner.ts';
import type { HookTarget } from '../../../src/hooks/run-handler.ts';

const target: HookTarget = { containerId: 'c1', containerName: 'a', podIP: '10.0.0.2', ports: [] };
const sleep: LifecycleHandler = { sleep: { seconds: 3600 } };

/** A runner whose commands end when `finish` is called, and whose containers end when `end` is. */
function makeRunner() {
  const ends = new Map<string, () => void>();
  const changes: string[] = [];
  const commands: { finish: (exitCode: number) => void; signal: AbortSignal | undefined }[] = [];
  const runner = new HookRunner({
    client: {
      execSync: (_id, _cmd, _timeout, options) =>
        new Promise((resolve) => {
          const finish = (exitCode: number) =>
            resolve({ exitCode, stdout: Buffer.from('words'), stderr: Buffer.alloc(0) });
          commands.push({ finish, signal: options?.signal });
        }),
    },
    network: { httpGet: () => Promise.reject(new Error('not here')), tcpConnect: () => Promise.resolve() },
    cache: {
      whenEnded: (id, signal) =>
        new Promise((resolve) => {
          ends.set(id, resolve);
          signal.addEventListener('abort', () => resolve());
        }),
    },
    onChange: (uid) => changes.push(uid),
  });
  const failures: string[] = [];
  const reports: HookReports = { onFailure: (message) => failures.push(message), onHttpFallback: () => {} };
  return { runner, reports, failures, changes, commands, end: (id: string) => ends.get(id)?.() };
}

const exec: LifecycleHandler = { exec: { command: ['x'] } };

t.test('who asks for a hook that runs waits for it, and who asks later gets its outcome', async (t) => {
  const { runner, reports, failures, commands } = makeRunner();
  const first = runner.run('preStop', 'u', exec, target, reports);
  const second = runner.run('preStop', 'u', exec, target, reports);
  t.equal(commands.length, 1);
  commands[0]?.finish(3);
  t.match(await first, { kind: 'failed', message: 'command ["x"] exited with 3: words' });
  t.equal(await second, await first);
  t.equal(await runner.run('preStop', 'u', exec, target, reports), await first);
  t.equal(commands.length, 1);
  t.equal(failures.length, 1, 'its failure is told once');
});

t.test('the end of a container ends its hook, and what is known of it', async (t) => {
  const { runner, reports, failures, end } = makeRunner();
  const running = runner.run('preStop', 'u', sleep, target, reports);
  end('c1');
  t.same(await running, { kind: 'abandoned' });
  t.strictSame(failures, []);
});

t.test('how the postStart hooks of a pod stand is known, that one failed also after the end', async (t) => {
  const { runner, reports, changes, commands, end } = makeRunner();
  runner.expectPostStart('u', 'c1');
  t.same([...runner.postStarts('u')], [['c1', { kind: 'running' }]], 'also before the container runs');
  const running = runner.run('postStart', 'u', exec, target, reports);
  runner.forgetExpected('c1');
  t.same([...runner.postStarts('u')], [['c1', { kind: 'running' }]]);
  t.same([...runner.postStarts('other')], []);
  commands[0]?.finish(1);
  await running;
  t.match([...runner.postStarts('u')], [['c1', { kind: 'failed', message: /exited with 1/ }]]);
  end('c1');
  await new Promise(setImmediate);
  t.match([...runner.postStarts('u')], [['c1', { kind: 'failed' }]], 'it never started');
  t.strictSame(changes, ['u', 'u']);
  const again = runner.run('postStart', 'u', exec, { ...target, containerId: 'c2' }, reports);
  t.same([...runner.postStarts('u')], [['c2', { kind: 'running' }]], 'until it is started again');
  commands[1]?.finish(0);
  t.same(await again, { kind: 'succeeded' });
  t.same([...runner.postStarts('u')], [], 'one that succeeded is as none');
  const third = runner.run('postStart', 'u', exec, { ...target, containerId: 'c3' }, reports);
  commands[2]?.finish(1);
  await third;
  end('c3');
  runner.forgetPod('other');
  t.equal(runner.postStarts('u').size, 1);
  runner.forgetPod('u');
  t.equal(runner.postStarts('u').size, 0, 'or the pod is gone');
});

t.test('when the daemon ends, so do the hooks', async (t) => {
  const { runner, reports, commands } = makeRunner();
  const sleeping = runner.run('preStop', 'u', sleep, target, reports);
  void runner.run('postStart', 'u', exec, target, reports);
  runner.stop();
  t.same(await sleeping, { kind: 'abandoned' });
  t.ok(commands[0]?.signal?.aborted);
});
