import type { Static } from 'typebox';
import { type Event, EventSourceSchema } from './event.ts';
import { type NamespacedObjectMeta, ObjectMetaSchema } from './meta.ts';
import { ObjectReferenceSchema } from './pod/references.ts';
import { about, groupObject, int32, microTime, opt, str, time } from './schema.ts';

/** Events as events.k8s.io/v1 shows them: the same objects as those of core/v1, with other names for some fields. */

export const EventV1SeriesSchema = groupObject('events', 'EventSeries', {
  count: int32('How often it happened.'),
  lastObservedTime: microTime('When it happened last.'),
});

export const EventV1Schema = groupObject(
  'events',
  'Event',
  {
    apiVersion: str(),
    kind: str(),
    metadata: ObjectMetaSchema,
    eventTime: opt(microTime('When it happened.')),
    series: opt(EventV1SeriesSchema),
    reportingController: opt(str('Who tells it.')),
    reportingInstance: opt(str('Which one of them.')),
    action: opt(str('What was done.')),
    reason: opt(str('Machine-readable cause, in CamelCase.')),
    regarding: opt(about(ObjectReferenceSchema, 'The object that the event is about.')),
    related: opt(ObjectReferenceSchema),
    note: opt(str('The event in words.')),
    type: opt(str('Normal or Warning.')),
    deprecatedSource: opt(EventSourceSchema),
    deprecatedFirstTimestamp: opt(time('When it happened first.')),
    deprecatedLastTimestamp: opt(time('When it happened last.')),
    deprecatedCount: opt(int32('How often it happened.')),
  },
  { description: 'Something that happened to an object.' },
);

export interface EventV1 extends Omit<Static<typeof EventV1Schema>, 'metadata'> {
  metadata: NamespacedObjectMeta;
}

/** PURE. (pkg/apis/events/v1/conversion.go) */
export function eventV1Of(event: Event): EventV1 {
  const { metadata, eventTime, series, action, reason, related, type } = event;
  return withoutUndefined({
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata,
    eventTime,
    series: series && { count: series.count ?? 0, lastObservedTime: series.lastObservedTime ?? '' },
    reportingController: event.reportingComponent || undefined,
    reportingInstance: event.reportingInstance || undefined,
    action,
    reason,
    regarding: event.involvedObject,
    related,
    note: event.message,
    type,
    deprecatedSource: event.source,
    deprecatedFirstTimestamp: event.firstTimestamp,
    deprecatedLastTimestamp: event.lastTimestamp,
    deprecatedCount: event.count,
  });
}

/** The inverse of eventV1Of. PURE. */
export function coreEventOf(event: EventV1): Event {
  const { metadata, eventTime, series, action, reason, related, type } = event;
  return withoutUndefined({
    apiVersion: 'v1',
    kind: 'Event',
    metadata,
    involvedObject: event.regarding ?? {},
    reason,
    message: event.note,
    source: event.deprecatedSource,
    firstTimestamp: event.deprecatedFirstTimestamp,
    lastTimestamp: event.deprecatedLastTimestamp,
    count: event.deprecatedCount,
    type,
    eventTime,
    series,
    action,
    related,
    reportingComponent: event.reportingController ?? '',
    reportingInstance: event.reportingInstance ?? '',
  });
}

type Defined<T> = { [K in keyof T]: Exclude<T[K], undefined> };

function withoutUndefined<T extends object>(object: T): Defined<T> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Defined<T>;
}
