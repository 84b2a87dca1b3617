import t from 'tap';
import type { ContainerStatus, PodStatus } from '../../../src/api/pod.ts';
import { statusEvents } from '../../../src/pod/status-events.ts';
import { podWith, UID } from './fixtures.ts';

function container(restartCount: number, state: ContainerStatus['state']): ContainerStatus {
  return { name: 'a', state, lastState: {}, ready: false, restartCount, image: 'one', imageID: '' };
}

const heldBack = (restartCount: number) => container(restartCount, { waiting: { reason: 'CrashLoopBackOff' } });
const running = container(1, { running: {} });
const backOff = {
  reason: 'BackOff',
  message: `Back-off restarting failed container a in pod web_default(${UID})`,
  containerName: 'a',
};
const noNetwork: PodStatus = { reason: 'NetworkPluginNotReady', message: 'network is not ready: x' };
const notReady = { reason: 'NetworkNotReady', message: 'network is not ready: x' };

const rows: [string, PodStatus, PodStatus, ReturnType<typeof statusEvents>][] = [
  ['nothing', { containerStatuses: [running] }, { containerStatuses: [running] }, []],
  ['the first time', {}, { containerStatuses: [heldBack(1)] }, [backOff]],
  ['held back', { containerStatuses: [running] }, { containerStatuses: [heldBack(1)] }, [backOff]],
  ['held back still', { containerStatuses: [heldBack(1)] }, { containerStatuses: [heldBack(1)] }, []],
  ['held back anew', { containerStatuses: [heldBack(1)] }, { containerStatuses: [heldBack(2)] }, [backOff]],
  ['an init container', {}, { initContainerStatuses: [heldBack(1)] }, [backOff]],
  ['no network', {}, noNetwork, [notReady]],
  ['still no network', noNetwork, noNetwork, []],
  ['a network', noNetwork, {}, []],
];

for (const [name, before, after, expected] of rows) {
  t.test(`events of a status: ${name}`, async (t) => {
    t.same(statusEvents({ ...podWith(), status: before }, after), expected);
  });
}
