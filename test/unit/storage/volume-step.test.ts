import t from 'tap';
import { VOLUME_PROTECTION } from '../../../src/api/persistent-volume.ts';
import { volumeStep } from '../../../src/storage/volume-step.ts';
import { claim, reserved, volume } from './objects.ts';

const bound = claim({ volumeName: 'a' });
const going = { deletionTimestamp: '2026-01-01T00:00:00Z', finalizers: [VOLUME_PROTECTION] };
const ofClaim = { claimRef: reserved };
const deleted = { ...ofClaim, persistentVolumeReclaimPolicy: 'Delete' as const };
const setPhase = (phase: string) => ({ kind: 'setPhase', phase });

t.test('the phase of a volume follows from its claim', async (t) => {
  t.same(volumeStep(volume('a'), undefined, false), { kind: 'none' }, 'free');
  t.same(volumeStep(volume('a', {}, { status: { phase: 'Pending' } }), undefined, false), setPhase('Available'));
  const forLater = { claimRef: { namespace: 'default', name: 'claim' } };
  t.same(volumeStep(volume('a', forLater), undefined, false), { kind: 'none' }, 'its claim is still to come');
  t.same(volumeStep(volume('a', ofClaim), bound, true), setPhase('Bound'));
  t.same(volumeStep(volume('a', ofClaim), claim(), false), { kind: 'none' }, 'about to be bound');
  t.same(volumeStep(volume('a', ofClaim), undefined, false), setPhase('Released'));
  const another = claim({ volumeName: 'a' }, { metadata: { uid: 'c2' } });
  t.same(volumeStep(volume('a', ofClaim), another, false), setPhase('Released'), 'another claim of the same name');
});

t.test('what is released is kept or reclaimed, never under the hands of a pod', async (t) => {
  const status = { phase: 'Released' as const };
  t.same(volumeStep(volume('a', ofClaim, { status }), undefined, false), { kind: 'none' });
  t.same(volumeStep(volume('a', deleted, { status }), undefined, false), { kind: 'reclaim' });
  t.same(volumeStep(volume('a', deleted, { status }), undefined, true), { kind: 'none' });
  t.same(volumeStep(volume('a', deleted), bound, false), setPhase('Bound'));
});

t.test('a volume that is deleted goes when nothing is bound to it', async (t) => {
  const status = { phase: 'Bound' as const };
  t.same(volumeStep(volume('a', ofClaim, { metadata: going, status }), bound, false), { kind: 'none' });
  t.same(volumeStep(volume('a', ofClaim, { metadata: going, status }), undefined, false), { kind: 'release' });
  t.same(volumeStep(volume('a', {}, { metadata: going }), undefined, false), { kind: 'release' });
  t.same(volumeStep(volume('a', deleted, { metadata: going, status }), bound, false), { kind: 'none' });
  t.same(volumeStep(volume('a', deleted, { metadata: going, status }), undefined, false), { kind: 'reclaim' });
});
