import type { Static } from 'typebox';
import { type NamespacedObjectMeta, ObjectMetaSchema } from './meta.ts';
import { ObjectReferenceSchema } from './pod/references.ts';
import { about, coreObject, int32, microTime, opt, str, time } from './schema.ts';

export const EventSourceSchema = coreObject('EventSource', {
  component: opt(str('Who tells it.')),
  host: opt(str('On which node.')),
});

export const EventSeriesSchema = coreObject('EventSeries', {
  count: opt(int32('How often it happened.')),
  lastObservedTime: opt(microTime('When it happened last.')),
});

export const EventSchema = coreObject(
  'Event',
  {
    apiVersion: str(),
    kind: str(),
    metadata: ObjectMetaSchema,
    involvedObject: about(ObjectReferenceSchema, 'The object that the event is about.'),
    reason: opt(str('Machine-readable cause, in CamelCase.')),
    message: opt(str('The event in words.')),
    source: opt(EventSourceSchema),
    firstTimestamp: opt(time('When it happened first.')),
    lastTimestamp: opt(time('When it happened last.')),
    count: opt(int32('How many times this happened.')),
    type: opt(str('Normal or Warning.')),
    eventTime: opt(microTime('When it happened.')),
    series: opt(EventSeriesSchema),
    action: opt(str('What was done.')),
    related: opt(ObjectReferenceSchema),
    reportingComponent: str('Who tells it.'),
    reportingInstance: str('Which one of them.'),
  },
  { description: 'Something that happened to an object.' },
);

export interface Event extends Omit<Static<typeof EventSchema>, 'metadata'> {
  metadata: NamespacedObjectMeta;
}
export type EventSeries = Static<typeof EventSeriesSchema>;
export type EventSource = Static<typeof EventSourceSchema>;
