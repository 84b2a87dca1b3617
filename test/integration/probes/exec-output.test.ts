// Commands of probes that say more than anybody reads: nothing of it may stay in the daemon's memory.
import { readFileSync } from 'node:fs';
import t from 'tap';
import { isReady, podManifest, shell } from '../pod/pods.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { waitFor } from '../support/wait.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const daemon = await startDaemon({ runtime });
t.teardown(() => daemon.stop());

const timeoutMs = 180_000;

function residentMiB(): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${daemon.pid}/status`, 'utf8'))?.[1]) / 1024;
}

/** How many readiness probes of a pod have ended this way. */
async function countOf(pod: string, result: string): Promise<number> {
  const { text } = await daemon.api.request('GET', '/metrics/probes');
  const line = text
    .split('\n')
    .find(
      (line) =>
        line.includes('probe_type="Readiness"') && line.includes(`pod="${pod}"`) && line.includes(`result="${result}"`),
    );
  return Number(line?.split(' ')[1] ?? 0);
}

const readinessProbe = (command: string) => ({
  exec: { command: ['sh', '-c', command] },
  periodSeconds: 1,
  timeoutSeconds: 30,
});

t.test('a command that prints 40 MB fails, each time anew, and the daemon does not grow', async (t) => {
  const main = { name: 'main', command: shell('true') };
  await daemon.createPod(podManifest('quiet', [{ ...main, readinessProbe: readinessProbe('true') }]));
  await daemon.waitForExistingPod('quiet', isReady, { timeoutMs });
  await waitFor('probes of the quiet one', async () => (await countOf('quiet', 'successful')) >= 3, timeoutMs);
  const before = residentMiB();
  const flood = readinessProbe('head -c 40000000 /dev/zero');
  await daemon.createPod(podManifest('flood', [{ ...main, readinessProbe: flood }]));
  let most = before;
  await waitFor(
    'fifteen probes',
    async () => {
      most = Math.max(most, residentMiB());
      return (await countOf('flood', 'failed')) >= 15;
    },
    timeoutMs,
  );
  t.comment(`${before.toFixed(1)} MiB, at most ${most.toFixed(1)} MiB`);
  t.ok(most - before < 40, `${most - before} MiB more`);
  t.equal(await countOf('flood', 'successful'), 0);
  t.notOk(isReady(await daemon.getPod('flood')), 'what cannot be told is a failure');
  t.ok(isReady(await daemon.getPod('quiet')), 'the other is not hurt');
  const { stdout } = await daemon.kubectl('events --for pod/flood --types=Warning'.split(' '));
  t.match(stdout, /Unhealthy +Pod\/flood +Readiness probe failed: .*(?:larger than max|RESOURCE_EXHAUSTED)/);
});
