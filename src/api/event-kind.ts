import { ageText } from './duration-text.ts';
import { type Event, EventSchema } from './event.ts';
import { type FieldError, invalid } from './field-error.ts';
import { checkDnsSubdomain } from './formats.ts';
import type { Cell, KindDefinition, TableColumn } from './kind.ts';
import { validateObjectMeta, validateObjectMetaUpdate } from './meta-validation.ts';

const columns: readonly TableColumn[] = [
  { name: 'Last Seen', type: 'string', format: '', description: 'Time since it last happened.', priority: 0 },
  { name: 'Type', type: 'string', format: '', description: 'Normal or Warning.', priority: 0 },
  { name: 'Reason', type: 'string', format: '', description: 'Cause in one word.', priority: 0 },
  { name: 'Object', type: 'string', format: '', description: 'What it happened to.', priority: 0 },
  { name: 'Subobject', type: 'string', format: '', description: 'Which part of the object.', priority: 1 },
  { name: 'Source', type: 'string', format: '', description: 'Who reports it.', priority: 1 },
  { name: 'Message', type: 'string', format: '', description: 'The event in words.', priority: 0 },
  { name: 'First Seen', type: 'string', format: '', description: 'Time since it first happened.', priority: 1 },
  { name: 'Count', type: 'string', format: '', description: 'How often it happened.', priority: 1 },
  { name: 'Name', type: 'string', format: 'name', description: 'Name of the event.', priority: 1 },
];

/** The kind Event of core/v1. The daemon writes them; clients read, and may write their own. */
export const eventKind: KindDefinition<Event> = {
  group: '',
  version: 'v1',
  kind: 'Event',
  listKind: 'EventList',
  plural: 'events',
  singular: 'event',
  shortNames: ['ev'],
  categories: [],
  namespaced: true,
  schema: EventSchema,
  verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
  subresources: [],
  prepareForCreate: () => {},
  prepareForUpdate: () => {},
  prepareForStatusUpdate: () => {},
  applyDefaults: () => {},
  validateCreate: validateEvent,
  validateUpdate: (next, current) => [
    ...validateObjectMetaUpdate(next.metadata, current.metadata),
    ...validateEvent(next),
  ],
  validateStatusUpdate: () => [],
  columns,
  row,
  selectableFields: (event) => {
    const { metadata, involvedObject: involved } = event;
    return {
      'metadata.name': metadata.name,
      'metadata.namespace': metadata.namespace,
      'involvedObject.kind': involved.kind ?? '',
      'involvedObject.namespace': involved.namespace ?? '',
      'involvedObject.name': involved.name ?? '',
      'involvedObject.uid': involved.uid ?? '',
      'involvedObject.apiVersion': involved.apiVersion ?? '',
      'involvedObject.resourceVersion': involved.resourceVersion ?? '',
      'involvedObject.fieldPath': involved.fieldPath ?? '',
      reason: event.reason ?? '',
      reportingComponent: event.reportingComponent || (event.source?.component ?? ''),
      source: event.source?.component || event.reportingComponent,
      type: event.type ?? '',
    };
  },
};

/** An event lives in the namespace of its object; events of nodes and namespaces in `default`. */
function validateEvent(event: Event): FieldError[] {
  const errors = validateObjectMeta(event.metadata, { namespaced: true, checkName: checkDnsSubdomain });
  const { namespace = '' } = event.involvedObject;
  const own = event.metadata.namespace;
  const isMisplaced = namespace === '' ? own !== 'default' && own !== 'kube-system' : own !== namespace;
  if (isMisplaced) {
    errors.push(invalid('involvedObject.namespace', namespace, 'does not match event.namespace'));
  }
  return errors;
}

function row(event: Event, now: number): Cell[] {
  const { involvedObject: involved, series, source = {} } = event;
  const firstSeen = event.firstTimestamp ?? event.eventTime;
  const lastSeen = series?.lastObservedTime ?? event.lastTimestamp ?? firstSeen;
  const kind = (involved.kind ?? '').toLowerCase();
  return [
    ageText(lastSeen, now),
    event.type ?? '',
    event.reason ?? '',
    involved.name ? `${kind}/${involved.name}` : kind,
    involved.fieldPath ?? '',
    [source.component || event.reportingComponent, source.host || event.reportingInstance].filter(Boolean).join(', '),
    (event.message ?? '').trim(),
    ageText(firstSeen, now),
    String(series?.count ?? event.count ?? 1),
    event.metadata.name,
  ];
}
