import type { Event } from './event.ts';
import { eventKind } from './event-kind.ts';
import { coreEventOf, type EventV1, EventV1Schema, eventV1Of } from './events-v1.ts';
import { FieldErrors, forbidden, invalid, notSupported, required, tooLong } from './field-error.ts';
import type { KindDefinition } from './kind.ts';
import { immutableMessage, validateObjectMetaUpdate } from './meta-validation.ts';

const maxReasonBytes = 128;
const maxNoteBytes = 1024;

/** Fields of events that a client of this API may not write: they are for those of core/v1. */
const oldFields = [
  'deprecatedCount',
  'deprecatedFirstTimestamp',
  'deprecatedLastTimestamp',
  'deprecatedSource',
] as const;

/** Nothing but the series of an event changes. */
const immutableFields = [
  'reportingController',
  'reportingInstance',
  'action',
  'reason',
  'regarding',
  'related',
  'note',
  'type',
  'eventTime',
] as const;

/** The kind Event of events.k8s.io/v1, another view of the events of core/v1. */
export const eventV1Kind: KindDefinition<EventV1> = {
  ...eventKind,
  group: 'events.k8s.io',
  schema: EventV1Schema,
  subresourceRules: {},
  view: { of: eventKind, show: (event: Event) => eventV1Of(event), store: (event: EventV1) => coreEventOf(event) },
  prepareForCreate: () => {},
  prepareForUpdate: () => {},
  prepareForStatusUpdate: () => {},
  applyDefaults: () => {},
  validateCreate: (event) => {
    const errors = new FieldErrors();
    for (const error of eventKind.validateCreate(coreEventOf(event))) errors.push(error);
    validateNew(event, errors);
    return errors.list;
  },
  validateUpdate: (next, current) => {
    const errors = new FieldErrors();
    for (const error of validateObjectMetaUpdate(next.metadata, current.metadata)) errors.push(error);
    for (const error of eventKind.validateCreate(coreEventOf(next))) errors.push(error);
    for (const field of immutableFields) {
      if (JSON.stringify(next[field]) === JSON.stringify(current[field])) continue;
      errors.push(invalid(field, next[field] ?? null, immutableMessage));
    }
    return errors.list;
  },
  validateStatusUpdate: () => [],
  row: (event, now) => eventKind.row(coreEventOf(event), now),
  selectableFields: (event) => {
    const fields = eventKind.selectableFields(coreEventOf(event));
    const renamed = Object.entries(fields).map(([name, value]) => [
      name.replace(/^involvedObject\./, 'regarding.'),
      value,
    ]);
    return { ...Object.fromEntries(renamed), reportingController: event.reportingController ?? '' };
  },
};

/** ValidateEventCreate in pkg/apis/core/validation/events.go. */
function validateNew(event: EventV1, errors: FieldErrors): void {
  if (event.eventTime === undefined) errors.push(required('eventTime'));
  for (const field of ['reportingController', 'reportingInstance', 'action', 'reason'] as const) {
    if (!event[field]) errors.push(required(field));
  }
  for (const field of ['reportingInstance', 'action', 'reason'] as const) {
    if (Buffer.byteLength(event[field] ?? '') > maxReasonBytes) errors.push(tooLong(field, maxReasonBytes));
  }
  const { type = '', note = '', series } = event;
  if (type !== 'Normal' && type !== 'Warning') errors.push(notSupported('type', type, ['Normal', 'Warning']));
  if (Buffer.byteLength(note) > maxNoteBytes) errors.push(tooLong('note', maxNoteBytes));
  if (series && series.count < 2) errors.push(invalid('series.count', series.count, 'should be at least 2'));
  for (const field of oldFields) {
    if (event[field] !== undefined) errors.push(forbidden(field, 'needs to be unset'));
  }
}
