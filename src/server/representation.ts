import type { KindDefinition } from '../api/kind.ts';
import type { KubeObject, ListMeta } from '../api/meta.ts';
import type { AcceptedType, Representation } from './request/media-type.ts';

export type AnyKind = KindDefinition<KubeObject>;

/** As much of a kind as its objects' representations need. */
export type WrittenKind = Pick<AnyKind, 'group' | 'version' | 'kind' | 'listKind' | 'columns' | 'row'>;

/** What a table row carries of its object besides the cells. */
export type IncludeObject = 'None' | 'Metadata' | 'Object';

const metaVersion = 'meta.k8s.io/v1';

/** Stored objects are frozen, so each is written once, however many read or watch it. */
const written = new WeakMap<object, string>();

export function jsonOf(object: KubeObject): string {
  let text = written.get(object);
  if (text === undefined) {
    text = JSON.stringify(object);
    if (Object.isFrozen(object)) written.set(object, text);
  }
  return text;
}

/** One object as the client wants it. @param now for ages, epoch milliseconds. */
export function writeObject(
  kind: WrittenKind,
  object: KubeObject,
  accepted: AcceptedType,
  includeObject: IncludeObject,
  now: number,
): string {
  switch (accepted.representation) {
    case 'object':
      return jsonOf(object);
    case 'metadata':
      return JSON.stringify(partialMetadata(object));
    case 'table': {
      const { resourceVersion } = object.metadata;
      return JSON.stringify(table(kind, [object], { resourceVersion }, includeObject, now));
    }
  }
}

export function writeList(
  kind: WrittenKind,
  items: readonly KubeObject[],
  metadata: ListMeta,
  accepted: AcceptedType,
  includeObject: IncludeObject,
  now: number,
): string {
  switch (accepted.representation) {
    case 'object': {
      const head = JSON.stringify({ kind: kind.listKind, apiVersion: apiVersionOf(kind), metadata });
      return `${head.slice(0, -1)},"items":[${items.map(jsonOf).join(',')}]}`;
    }
    case 'metadata':
      return JSON.stringify({
        kind: 'PartialObjectMetadataList',
        apiVersion: metaVersion,
        metadata,
        items: items.map(partialMetadata),
      });
    case 'table':
      return JSON.stringify(table(kind, items, metadata, includeObject, now));
  }
}

export type EventType = 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';

/** Lines of a watch. A table's columns come only with its first event, as clients expect. */
export class EventWriter {
  readonly #kind: AnyKind;
  readonly #representation: Representation;
  readonly #includeObject: IncludeObject;
  #columnsSent = false;

  constructor(kind: AnyKind, representation: Representation, includeObject: IncludeObject) {
    this.#kind = kind;
    this.#representation = representation;
    this.#includeObject = includeObject;
  }

  /**
   * The next line. To be called in the order in which the lines are sent; the bytes are made when the result is called,
   * which may be later.
   */
  next(type: EventType, object: KubeObject, now: () => number): () => Buffer {
    switch (this.#representation) {
      case 'object':
        return () => sharedLine(type, object);
      case 'metadata':
        return () => line(type, JSON.stringify(partialMetadata(object)));
      case 'table': {
        const withColumns = !this.#columnsSent;
        this.#columnsSent = true;
        return () => line(type, JSON.stringify(this.#table(type, object, withColumns, now())));
      }
    }
  }

  /** Tells a client how far it is, and with `initialEventsEnd` that it now knows the whole initial state. */
  bookmark(resourceVersion: string, initialEventsEnd: boolean, now: () => number): () => Buffer {
    const annotations = initialEventsEnd ? { 'k8s.io/initial-events-end': 'true' } : undefined;
    const metadata = { resourceVersion, creationTimestamp: null, ...(annotations ? { annotations } : {}) };
    const { kind } = this.#kind;
    const object: unknown = { kind, apiVersion: apiVersionOf(this.#kind), metadata };
    return this.next('BOOKMARK', object as KubeObject, now);
  }

  #table(type: EventType, object: KubeObject, withColumns: boolean, now: number): object {
    const { resourceVersion } = object.metadata;
    const result =
      type === 'BOOKMARK'
        ? { ...table(this.#kind, [], { resourceVersion }, 'None', now), rows: [bookmarkRow(this.#kind, object)] }
        : table(this.#kind, [object], { resourceVersion }, this.#includeObject, now);
    return withColumns ? result : { ...result, columnDefinitions: [] };
  }
}

/** Watchers of the same representation share the bytes of an event. */
const lines = new WeakMap<object, Map<EventType, Buffer>>();

function sharedLine(type: EventType, object: KubeObject): Buffer {
  let ofObject = lines.get(object);
  if (!ofObject) {
    ofObject = new Map();
    lines.set(object, ofObject);
  }
  let bytes = ofObject.get(type);
  if (!bytes) {
    bytes = line(type, jsonOf(object));
    ofObject.set(type, bytes);
  }
  return bytes;
}

function line(type: string, object: string): Buffer {
  return Buffer.from(`{"type":"${type}","object":${object}}\n`);
}

export function errorLine(status: object): Buffer {
  return line('ERROR', JSON.stringify(status));
}

function partialMetadata(object: KubeObject): object {
  return { kind: 'PartialObjectMetadata', apiVersion: metaVersion, metadata: object.metadata };
}

function table(
  kind: WrittenKind,
  objects: readonly KubeObject[],
  metadata: ListMeta,
  includeObject: IncludeObject,
  now: number,
): object {
  return {
    kind: 'Table',
    apiVersion: metaVersion,
    metadata,
    columnDefinitions: kind.columns,
    rows: objects.map((object) => ({ cells: kind.row(object, now), object: rowObject(object, includeObject) })),
  };
}

function rowObject(object: KubeObject, includeObject: IncludeObject): object | null {
  switch (includeObject) {
    case 'None':
      return null;
    case 'Metadata':
      return partialMetadata(object);
    case 'Object':
      return object;
  }
}

function bookmarkRow(kind: AnyKind, object: KubeObject): object {
  return { cells: kind.columns.map(({ type }) => (type === 'integer' ? 0 : '')), object: partialMetadata(object) };
}

export function apiVersionOf(kind: { readonly group: string; readonly version: string }): string {
  return kind.group === '' ? kind.version : `${kind.group}/${kind.version}`;
}
