import t from 'tap';
import type { Pod } from '../../../src/api/pod.ts';
import type { Action } from '../../../src/pod/actions.ts';
import { plan } from '../../../src/pod/plan.ts';
import type { ObservedContainer } from '../../../src/runtime/observed.ts';
import { container, ended, factsWith, NOW, observed, podWith, sandbox } from './fixtures.ts';

const always = { restartPolicy: 'Always' as const, image: 'one' };
const spec = {
  initContainers: [
    { name: 'first', ...always },
    { name: 'setup', image: 'one' },
    { name: 'second', ...always },
  ],
};
const deletion = { deletionTimestamp: new Date(NOW + 20_000).toISOString(), deletionGracePeriodSeconds: 30 };

/** A running container of any name. */
const running = (name: string): ObservedContainer => container('a', { id: name, containerName: name });

/** `b after a c`: what is planned for these running containers. */
function planned(pod: Pod, containers: readonly ObservedContainer[]): string[] {
  const { actions } = plan(pod, observed([sandbox()], containers), factsWith(), { maxRestartDelaySeconds: 300 }, NOW);
  return actions.map(show).sort();
}

function show(action: Action): string {
  if (action.kind !== 'killContainer') return action.kind;
  const after = [...(action.after ?? [])].sort().join(' ');
  return `${action.containerId} ${action.graceSeconds} s${after === '' ? '' : ` after ${after}`}`;
}

t.test('sidecars stop after the app containers, in reverse order, on one clock', async (t) => {
  t.strictSame(planned(podWith(spec, { phase: 'Running' }, deletion), ['a', 'b', 'first', 'second'].map(running)), [
    'a 20 s',
    'b 20 s',
    'first 20 s after a b second',
    'second 20 s after a b',
  ]);
});

t.test('what has ended is not waited for', async (t) => {
  const left = [running('first'), running('b'), ended('a', 0)];
  t.strictSame(planned(podWith(spec, { phase: 'Running' }, deletion), left), ['b 20 s', 'first 20 s after b']);
});

t.test('an init container that runs is just stopped', async (t) => {
  const pod = podWith(spec, { phase: 'Pending' }, deletion);
  t.strictSame(planned(pod, [running('first'), running('setup')]), ['first 20 s', 'setup 20 s']);
});

t.test('the order holds for a pod that has completed or failed, too', async (t) => {
  const sidecars = [running('first'), running('second')];
  const done = [...sidecars, ended('a', 0), ended('b', 0)];
  const order = ['first 30 s after second', 'second 30 s'];
  t.strictSame(planned(podWith({ ...spec, restartPolicy: 'Never' }), done), order);
  t.strictSame(planned(podWith(spec, { phase: 'Failed' }), done), order);
});
