import t from 'tap';
import { markForDeletion } from '../../../src/pod/deletion.ts';
import { graceSecondsLeft } from '../../../src/pod/grace-period.ts';
import { NOW, podWith } from './fixtures.ts';

t.test('a deleted pod gets its own grace period, and a new generation', async (t) => {
  const pod = markForDeletion(podWith(), undefined, NOW);
  t.match(pod.metadata, { deletionTimestamp: '2026-01-01T00:00:30Z', deletionGracePeriodSeconds: 30, generation: 2 });
});

t.test('the request decides over the grace period, also for none', async (t) => {
  t.equal(markForDeletion(podWith(), 5, NOW).metadata.deletionTimestamp, '2026-01-01T00:00:05Z');
  t.equal(markForDeletion(podWith(), 0, NOW).metadata.deletionGracePeriodSeconds, 0);
});

t.test('a second request shortens the grace period and never lengthens it', async (t) => {
  const first = markForDeletion(podWith(), 20, NOW);
  t.equal(markForDeletion(first, 60, NOW + 1000), first);
  t.equal(markForDeletion(first, undefined, NOW + 1000), first);
  t.equal(markForDeletion(first, 5, NOW + 1000).metadata.deletionTimestamp, '2026-01-01T00:00:06Z');
  t.equal(markForDeletion(first, 15, NOW + 10_000), first, 'a smaller period that would end later');
});

t.test('the grace period runs on while nobody watches', async (t) => {
  const pod = markForDeletion(podWith(), 20, NOW);
  t.equal(graceSecondsLeft(pod, NOW), 20);
  t.equal(graceSecondsLeft(pod, NOW + 12_500), 8);
  t.equal(graceSecondsLeft(pod, NOW + 60_000), 0);
});

t.test('so does that of a pod that ends by itself, and a deletion makes it no longer', async (t) => {
  const lastTransitionTime = new Date(NOW).toISOString();
  const conditions = [{ type: 'mini-kubelet.io/Stopping', status: 'True' as const, lastTransitionTime }];
  const pod = podWith({}, { conditions });
  t.equal(graceSecondsLeft(pod, NOW), 30);
  t.equal(graceSecondsLeft(pod, NOW + 999), 30, 'it may have begun at the end of its second');
  t.equal(graceSecondsLeft(pod, NOW + 11_000), 20);
  t.equal(graceSecondsLeft(pod, NOW + 60_000), 0);
  t.equal(graceSecondsLeft(markForDeletion(pod, 60, NOW + 11_000), NOW + 11_000), 20);
  t.equal(graceSecondsLeft(markForDeletion(pod, 5, NOW + 11_000), NOW + 11_000), 5);
});

t.test('a grace period of 0 counts as one second, from the request on', async (t) => {
  const pod = markForDeletion(podWith(), 0, NOW);
  t.equal(graceSecondsLeft(pod, NOW), 1);
  t.equal(graceSecondsLeft(pod, NOW + 1000), 0);
  t.equal(graceSecondsLeft(podWith({ terminationGracePeriodSeconds: 0 }), NOW), 1);
});

t.test('a pod that never came to the node ends at once', async (t) => {
  const pod = markForDeletion(podWith({ nodeName: undefined }), undefined, NOW);
  t.match(pod.metadata, { deletionTimestamp: '2026-01-01T00:00:00Z', deletionGracePeriodSeconds: 0 });
});
