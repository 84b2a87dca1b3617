import t from 'tap';
import type { PersistentVolume } from '../../../src/api/persistent-volume.ts';
import type { PersistentVolumeClaim } from '../../../src/api/persistent-volume-claim.ts';
import { DEFAULT_CLASS, type StorageClass } from '../../../src/api/storage-class.ts';
import { BIND_COMPLETED, type ClaimWorld, claimStep } from '../../../src/storage/claim-step.ts';
import { claim, reserved, storageClass, volume } from './objects.ts';

const going = { deletionTimestamp: '2026-01-01T00:00:00Z' };
const completed = { metadata: { annotations: { [BIND_COMPLETED]: 'yes' } }, status: { phase: 'Bound' as const } };
const isDefault = (creationTimestamp: string) => ({
  metadata: { name: creationTimestamp, uid: '1', creationTimestamp, annotations: { [DEFAULT_CLASS]: 'true' } },
});
const lazy = storageClass('fast', { volumeBindingMode: 'WaitForFirstConsumer' });

/** What the step comes to, in a word or two. */
function stepOf(of: PersistentVolumeClaim, world: Partial<ClaimWorld>): string {
  const step = claimStep(of, {
    volumes: [],
    classes: [storageClass('fast')],
    matchesNode: () => true,
    hasConsumer: false,
    ...world,
  });
  switch (step.kind) {
    case 'none':
      return 'none';
    case 'setClass':
      return `class ${step.className}`;
    case 'bind':
      return `bind ${step.volume.metadata.name}`;
    case 'provision':
      return `provision ${step.storageClass.metadata.name}`;
    default:
      return `${step.kind} ${step.event.reason}`;
  }
}

const cases: [what: string, of: PersistentVolumeClaim, world: Partial<ClaimWorld>, step: string][] = [
  ['bound', claim({ volumeName: 'a' }, completed), { volumes: [volume('a', { claimRef: reserved })] }, 'none'],
  ['half bound', claim({ volumeName: 'a' }), { volumes: [volume('a', { claimRef: reserved })] }, 'bind a'],
  ['its volume is gone', claim({ volumeName: 'a' }, completed), {}, 'lose ClaimLost'],
  [
    'its volume is another claim’s',
    claim({ volumeName: 'a' }, completed),
    { volumes: [volume('a', { claimRef: { ...reserved, uid: 'c2' } })] },
    'lose ClaimMisbound',
  ],
  ['its volume was made anew', claim({ volumeName: 'a' }, completed), { volumes: [volume('a')] }, 'bind a'],
  ['being deleted', claim({}, { metadata: going }), { volumes: [volume('a')] }, 'none'],
  [
    'the smallest that is large enough',
    claim(),
    {
      volumes: [
        volume('large', { capacity: { storage: '3Gi' } }),
        volume('small', { capacity: { storage: '1023Mi' } }),
        volume('right', { capacity: { storage: '1024Mi' } }),
      ],
    },
    'bind right',
  ],
  [
    'one that is reserved for it, whatever its size above',
    claim(),
    { volumes: [volume('a'), volume('b', { capacity: { storage: '9Gi' }, claimRef: { ...reserved, uid: '' } })] },
    'bind b',
  ],
  [
    'none that is reserved for another',
    claim(),
    { volumes: [volume('a', { claimRef: { ...reserved, uid: 'c2' } }), volume('b', { claimRef: { name: 'x' } })] },
    'provision fast',
  ],
  ['no other class', claim(), { volumes: [volume('a', { storageClassName: 'slow' })] }, 'provision fast'],
  ['no fewer access modes', claim({ accessModes: ['ReadWriteMany'] }), { volumes: [volume('a')] }, 'provision fast'],
  ['none that is going', claim(), { volumes: [volume('a', {}, { metadata: going })] }, 'provision fast'],
  [
    'none of another node',
    claim(),
    {
      volumes: [volume('a', { nodeAffinity: { required: { nodeSelectorTerms: [] } } })],
      matchesNode: () => false,
    },
    'provision fast',
  ],
  [
    'by labels',
    claim({ selector: { matchExpressions: [{ key: 'disk', operator: 'In', values: ['x'] }] } }),
    { volumes: [volume('a'), volume('b', {}, { metadata: { labels: { disk: 'x' } } })] },
    'bind b',
  ],
  ['labels are for volumes by hand', claim({ selector: { matchLabels: { a: 'b' } } }), {}, 'wait ProvisioningFailed'],
  ['a named one', claim({ volumeName: 'b' }), { volumes: [volume('a'), volume('b')] }, 'bind b'],
  ['a named one that is missing', claim({ volumeName: 'b' }), { volumes: [volume('a')] }, 'wait FailedBinding'],
  [
    'a named one that is taken',
    claim({ volumeName: 'a' }),
    { volumes: [volume('a', { claimRef: { ...reserved, uid: 'c2' } })] },
    'wait FailedBinding',
  ],
  [
    'a named one that is too small',
    claim({ volumeName: 'a' }),
    { volumes: [volume('a', { capacity: { storage: '1Mi' } })] },
    'wait VolumeMismatch',
  ],
  ['nobody needs it yet', claim(), { classes: [lazy], volumes: [volume('a')] }, 'wait WaitForFirstConsumer'],
  ['a pod needs it', claim(), { classes: [lazy], volumes: [volume('a')], hasConsumer: true }, 'bind a'],
  [
    'what is reserved waits for no pod',
    claim(),
    { classes: [lazy], volumes: [volume('a', { claimRef: reserved })] },
    'bind a',
  ],
  ['no class, by intention', claim({ storageClassName: '' }), {}, 'wait FailedBinding'],
  ['an unknown class', claim({ storageClassName: 'x' }), {}, 'wait ProvisioningFailed'],
  [
    'volumes by hand only',
    claim(),
    { classes: [storageClass('fast', { provisioner: 'kubernetes.io/no-provisioner' })] },
    'wait FailedBinding',
  ],
  [
    'a provisioner that is not here',
    claim(),
    { classes: [storageClass('fast', { provisioner: 'example.com/nfs' })] },
    'wait ExternalProvisioning',
  ],
];

for (const [what, of, world, step] of cases) {
  t.test(`a claim: ${what}`, async (t) => t.equal(stepOf(of, world), step));
}

t.test('a claim without a class gets the newest default one, also later', async (t) => {
  const bare = claim();
  delete bare.spec.storageClassName;
  const classes: StorageClass[] = [storageClass('fast')];
  t.equal(stepOf(bare, { classes }), 'wait FailedBinding');
  classes.push(
    storageClass('', isDefault('2026-01-01T00:00:00Z')),
    storageClass('', isDefault('2026-02-01T00:00:00Z')),
  );
  t.equal(stepOf(bare, { classes }), 'class 2026-02-01T00:00:00Z');
});

t.test('labels that every object inherits are none', async (t) => {
  const volumes: PersistentVolume[] = [volume('a')];
  const selector = { matchExpressions: [{ key: 'constructor', operator: 'Exists' as const }] };
  t.equal(stepOf(claim({ selector }), { volumes }), 'wait ProvisioningFailed');
});
