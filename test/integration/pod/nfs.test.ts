// Any runtime will do.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Event } from '../../../src/api/event.ts';
import type { Volume } from '../../../src/api/pod.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { waitFor } from '../support/wait.ts';
import { isReady, podManifest, shell } from './pods.ts';

/** What a host does that cannot reach an NFS server. */

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const daemon = await startDaemon({ runtime });
t.teardown(() => daemon.stop());

const create = (name: string, volume: Partial<Volume> = {}) =>
  daemon.createPod(
    podManifest(
      name,
      [{ name: 'a', command: shell(''), volumeMounts: [{ name: 'data', mountPath: '/data', subPath: 'part' }] }],
      { volumes: [{ name: 'data', ...volume }] },
    ),
  );

async function failedMount(pod: string): Promise<string> {
  const path = `/api/v1/namespaces/default/events?fieldSelector=involvedObject.name%3D${pod}`;
  const find = async () => {
    const { items } = await daemon.api.expectOk<{ items: Event[] }>('GET', path);
    return items.find(({ reason }) => reason === 'FailedMount');
  };
  const found = await waitFor(`FailedMount of ${pod}`, find, 60_000);
  return found.message ?? '';
}

/** Of a host without the program, without the file system, and without a server on the port. */
const WHY =
  /^MountVolume\.SetUp failed for volume "data" : (mount\.nfs is missing on this host: .*nfs-common|mount: exit code \d+: \S)/;

t.test('a pod whose server is not there waits with an event, others do not, and it can be deleted', async (t) => {
  await daemon.api.expectOk('POST', '/api/v1/persistentvolumes', {
    body: {
      metadata: { name: 'far' },
      spec: {
        capacity: { storage: '1Gi' },
        accessModes: ['ReadWriteMany'],
        storageClassName: 'far',
        mountOptions: ['port=1', 'soft'],
        nfs: { server: '127.0.0.1', path: '/srv/data' },
      },
    },
  });
  await daemon.api.expectOk('POST', '/api/v1/namespaces/default/persistentvolumeclaims', {
    body: {
      metadata: { name: 'far' },
      spec: {
        accessModes: ['ReadWriteMany'],
        storageClassName: 'far',
        resources: { requests: { storage: '1Mi' } },
      },
    },
  });
  const inline = await create('inline', { nfs: { server: '127.0.0.1', path: '/srv/data', readOnly: true } });
  const claimed = await create('claimed', { persistentVolumeClaim: { claimName: 'far' } });
  t.match(await failedMount('inline'), WHY);
  t.match(await failedMount('claimed'), WHY);
  await create('other');
  await daemon.waitForExistingPod('other', isReady);
  t.equal((await daemon.getPod('inline')).status?.phase, 'Pending');
  for (const name of ['inline', 'claimed', 'other']) await daemon.deletePod(name);
  for (const { metadata } of [inline, claimed]) t.notOk(existsSync(join(daemon.stateDir, 'pods', metadata.uid)));
});
