import t from 'tap';
import type { Event } from '../../../src/api/event.ts';
import { coreEventOf, eventV1Of } from '../../../src/api/events-v1.ts';
import { formatFieldError } from '../../../src/api/field-error.ts';
import { eventV1Kind } from '../../../src/api/kinds.ts';

const stored: Event = {
  apiVersion: 'v1',
  kind: 'Event',
  metadata: { name: 'web.1', namespace: 'default', uid: 'u', resourceVersion: '7' },
  involvedObject: { kind: 'Pod', namespace: 'default', name: 'web' },
  reason: 'Started',
  message: 'Container started',
  source: { component: 'mini-kubelet', host: 'node' },
  firstTimestamp: '2026-01-01T00:00:00Z',
  lastTimestamp: '2026-01-01T00:01:00Z',
  count: 2,
  type: 'Normal',
  reportingComponent: 'mini-kubelet',
  reportingInstance: 'node',
};

t.test('an event in both views', async (t) => {
  const shown = eventV1Of(stored);
  t.strictSame(shown, {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: stored.metadata,
    reportingController: 'mini-kubelet',
    reportingInstance: 'node',
    reason: 'Started',
    regarding: stored.involvedObject,
    note: 'Container started',
    type: 'Normal',
    deprecatedSource: { component: 'mini-kubelet', host: 'node' },
    deprecatedFirstTimestamp: '2026-01-01T00:00:00Z',
    deprecatedLastTimestamp: '2026-01-01T00:01:00Z',
    deprecatedCount: 2,
  });
  t.strictSame(coreEventOf(shown), stored);
  t.match(eventV1Kind.selectableFields(shown), {
    'regarding.name': 'web',
    reason: 'Started',
    reportingController: 'mini-kubelet',
  });
});

t.test('new events are complete; later only their series changes', async (t) => {
  const event = {
    ...eventV1Of({
      apiVersion: 'v1',
      kind: 'Event',
      metadata: stored.metadata,
      involvedObject: stored.involvedObject,
      reportingComponent: 'a/b',
      reportingInstance: 'c',
    }),
    eventTime: '2026-01-01T00:00:00.000000Z',
    action: 'Do',
    reason: 'Because',
    type: 'Normal',
  };
  const problems = (changes: object) => eventV1Kind.validateCreate({ ...event, ...changes }).map(formatFieldError);
  t.same(problems({}), []);
  t.same(problems({ action: '', deprecatedCount: 1 }), [
    'action: Required value',
    'deprecatedCount: Forbidden: needs to be unset',
  ]);
  const series = { count: 2, lastObservedTime: '2026-01-01T00:02:00.000000Z' };
  t.same(eventV1Kind.validateUpdate({ ...event, series }, event), []);
  t.match(eventV1Kind.validateUpdate({ ...event, note: 'x' }, event).map(formatFieldError), [
    /^note: Invalid value: "x"/,
  ]);
});
