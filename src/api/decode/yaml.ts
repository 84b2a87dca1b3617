/*
 * YAML as kubectl and the API server read it: YAML to JSON, with YAML 1.1's words and Go's numbers.
 *
 * js-yaml 5 does the syntax. Its event list refers to the text by offsets, so a document costs about a tenth of the
 * time and memory of a tree of nodes (3 MiB of `0,`: 0.8 s and 0.2 GB; the `yaml` package: 9 s and 1.5 GB, and it
 * aborts the process on 3 MiB of `[`), it stops at a given depth, and its time grows with the input's length only.
 * What a scalar, a key, an alias or a merge means is decided here, because no schema of either package is kubectl's.
 */
import { EVENT_ID, type Event, getScalarValue, parseEvents, SCALAR_STYLE, YAMLException } from 'js-yaml';
import { DecodeError, errorAt, placeOf } from './decode-error.ts';
import { setOwn } from './json.ts';
import { maxDepth, maxValues } from './limits.ts';
import { keyText, resolvePlain, resolveTagged, type Scalar, ScalarError, toJsonScalar } from './yaml-scalar.ts';

export interface YamlDocument {
  readonly value: unknown;
  /** `line 5: key "name" already set in map`: the line of the later value, as the Go library says it. */
  readonly duplicates: readonly string[];
  /** Line of the first node, from 1. */
  readonly line: number;
  /** Nothing but comments: what stands after a last `---`. */
  readonly isEmpty: boolean;
}

/** Told of each key that is set in a map, with its line from 1: for who wants to say where a value stands. */
export type OnKey = (map: object, key: string, line: number) => void;

/** @throws DecodeError with line and column; on one error in a stream no document of it is returned. */
export function parseYaml(text: string, onKey?: OnKey): YamlDocument[] {
  return new Builder(text, events(text), onKey).documents();
}

function events(text: string): readonly Event[] {
  try {
    return parseEvents(text, { maxDepth });
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    const reason = reworded(error.reason);
    if (error.mark === undefined) throw new DecodeError(reason);
    throw new DecodeError(reason, error.mark.line + 1, error.mark.column + 1);
  }
}

/** Two of the parser's reasons: one speaks of its own option, the other quotes the input. */
function reworded(reason: string): string {
  if (reason.startsWith('nesting exceeded')) return `nested deeper than ${maxDepth} levels`;
  if (reason.startsWith('tag name cannot')) return 'the tag has characters that a tag cannot have';
  return reason;
}

type SequenceEvent = Extract<Event, { type: typeof EVENT_ID.SEQUENCE }>;
type MappingEvent = Extract<Event, { type: typeof EVENT_ID.MAPPING }>;
type ScalarEvent = Extract<Event, { type: typeof EVENT_ID.SCALAR }>;
type AliasEvent = Extract<Event, { type: typeof EVENT_ID.ALIAS }>;

interface Anchor {
  readonly value: unknown;
  /** Nodes in it, its aliases expanded. */
  readonly size: number;
  /** Levels of collections in it. */
  readonly height: number;
}

const maxDuplicates = 100;

class Builder {
  readonly #text: string;
  readonly #events: readonly Event[];
  readonly #onKey: OnKey | undefined;
  #at = 0;
  /** The last offset of an event that had one, for errors at nodes without text. */
  #offset = 0;
  #depth = 0;
  /** The deepest level since it was last reset: gives the height of an anchored node. */
  #deepest = 0;
  #values = 0;
  #aliasedValues = 0;
  #duplicates: string[] = [];
  /** `open` while the anchored node is being built: an alias then refers to its own parent. */
  #anchors = new Map<string, Anchor | 'open'>();
  #tagPrefixes = new Map<string, string>();

  constructor(text: string, events: readonly Event[], onKey: OnKey | undefined) {
    this.#text = text;
    this.#events = events;
    this.#onKey = onKey;
  }

  documents(): YamlDocument[] {
    const documents: YamlDocument[] = [];
    for (let event = this.#next(); event !== undefined; event = this.#next()) {
      if (event.type !== EVENT_ID.DOCUMENT) continue;
      this.#anchors = new Map();
      this.#duplicates = [];
      this.#tagPrefixes = new Map();
      for (const directive of event.directives) {
        if (directive.kind === 'tag') this.#tagPrefixes.set(directive.handle, directive.prefix);
      }
      const root = this.#events[this.#at];
      const isEmpty =
        root?.type === EVENT_ID.SCALAR && root.valueStart < 0 && root.tagStart < 0 && root.anchorStart < 0;
      if (root !== undefined && !isEmpty) this.#offset = startOf(root) ?? this.#offset;
      const { line } = placeOf(this.#text, this.#offset);
      documents.push({ value: this.#node(), duplicates: this.#duplicates, line, isEmpty });
    }
    return documents;
  }

  #next(): Event | undefined {
    const event = this.#events[this.#at];
    this.#at += 1;
    return event;
  }

  #node(): unknown {
    const event = this.#next();
    if (event === undefined || event.type === EVENT_ID.DOCUMENT || event.type === EVENT_ID.POP) {
      throw new Error('the YAML parser gave no node where one belongs');
    }
    this.#count(1);
    this.#offset = startOf(event) ?? this.#offset;
    if (event.type === EVENT_ID.ALIAS) return this.#alias(event);
    if (event.anchorStart < 0) return this.#content(event);

    const name = this.#text.slice(event.anchorStart, event.anchorEnd);
    this.#anchors.set(name, 'open');
    const sizeBefore = this.#values - 1;
    const deepestBefore = this.#deepest;
    this.#deepest = this.#depth;
    const value = this.#content(event);
    this.#anchors.set(name, { value, size: this.#values - sizeBefore, height: this.#deepest - this.#depth });
    this.#deepest = Math.max(this.#deepest, deepestBefore);
    return value;
  }

  #content(event: ScalarEvent | SequenceEvent | MappingEvent): unknown {
    if (event.type === EVENT_ID.SCALAR) return this.#jsonScalar(event);
    this.#enter(1);
    const value = event.type === EVENT_ID.SEQUENCE ? this.#sequence() : this.#mapping();
    this.#depth -= 1;
    return value;
  }

  #sequence(): unknown[] {
    const sequence: unknown[] = [];
    while (!this.#atPop()) sequence.push(this.#node());
    return sequence;
  }

  #mapping(): Record<string, unknown> {
    const mapping: Record<string, unknown> = {};
    let merged: Set<string> | undefined;
    while (!this.#atPop()) {
      const key = this.#key();
      const valueEvent = this.#events[this.#at];
      if (key === mergeKey) {
        merged ??= new Set();
        this.#merge(mapping, merged);
        continue;
      }
      // A key that so far came from a merge only may be set again: that is what merging is for.
      if (Object.hasOwn(mapping, key) && !merged?.delete(key)) this.#duplicate(key, valueEvent);
      this.#onKey?.(mapping, key, placeOf(this.#text, this.#offset).line);
      setOwn(mapping, key, this.#node());
    }
    return mapping;
  }

  #atPop(): boolean {
    if (this.#events[this.#at]?.type !== EVENT_ID.POP) return false;
    this.#at += 1;
    return true;
  }

  #key(): string | typeof mergeKey {
    const event = this.#events[this.#at];
    if (event?.type === EVENT_ID.SEQUENCE || event?.type === EVENT_ID.MAPPING) {
      this.#offset = startOf(event) ?? this.#offset;
      throw this.#error('a list or a map cannot be a key');
    }
    if (event?.type !== EVENT_ID.SCALAR) {
      const value = this.#node();
      if (typeof value === 'object' && value !== null) throw this.#error('a list or a map cannot be a key');
      return this.#checked(() => keyText(value as Scalar, ''));
    }
    this.#at += 1;
    this.#count(1);
    this.#offset = startOf(event) ?? this.#offset;
    const text = getScalarValue(this.#text, event);
    const tag = this.#tag(event);
    const isPlain = event.style === SCALAR_STYLE.PLAIN && tag === undefined;
    if (text === '<<' && (isPlain || tag === 'tag:yaml.org,2002:merge')) return mergeKey;
    const scalar = this.#scalar(event, text, tag);
    if (event.anchorStart >= 0) {
      this.#anchors.set(this.#text.slice(event.anchorStart, event.anchorEnd), { value: scalar, size: 1, height: 0 });
    }
    return this.#checked(() => keyText(scalar, text));
  }

  /**
   * `<<: {...}`, `<<: *alias` or a list of those. As in the Go library a merge replaces keys that stand before it, and
   * of a list the first one wins.
   */
  #merge(mapping: Record<string, unknown>, merged: Set<string>): void {
    const offset = this.#offset;
    const value = this.#node();
    for (const source of Array.isArray(value) ? value.toReversed() : [value]) {
      if (typeof source !== 'object' || source === null || Array.isArray(source)) {
        throw errorAt(this.#text, offset, '<< needs a map or a list of maps');
      }
      for (const [key, item] of Object.entries(source)) {
        if (!Object.hasOwn(mapping, key)) merged.add(key);
        setOwn(mapping, key, item);
      }
    }
  }

  #jsonScalar(event: ScalarEvent): Scalar {
    const scalar = this.#scalar(event, getScalarValue(this.#text, event), this.#tag(event));
    return this.#checked(() => toJsonScalar(scalar));
  }

  #scalar(event: ScalarEvent, text: string, tag: string | undefined): Scalar {
    if (tag !== undefined) return this.#checked(() => resolveTagged(tag, text));
    return event.style === SCALAR_STYLE.PLAIN ? resolvePlain(text) : text;
  }

  /** The tag's full name, undefined without a tag. An unknown tag is not an error: it just says nothing. */
  #tag(event: ScalarEvent): string | undefined {
    if (event.tagStart < 0) return undefined;
    const raw = this.#text.slice(event.tagStart, event.tagEnd);
    if (raw.startsWith('!<')) return raw.slice(2, -1);
    const handle = raw.slice(0, raw.indexOf('!', 1) + 1) || '!';
    const prefix = this.#tagPrefixes.get(handle) ?? (handle === '!!' ? 'tag:yaml.org,2002:' : handle);
    return prefix + raw.slice(handle.length);
  }

  /**
   * A copy of the anchored value: two places of one object would be changed together by whoever fills in defaults.
   * Before the copy is made its size is charged, by the Go library's rule and by our own limit.
   */
  #alias(event: AliasEvent): unknown {
    const name = this.#text.slice(event.anchorStart, event.anchorEnd);
    const anchor = this.#anchors.get(name);
    if (anchor === undefined) throw this.#error('the alias refers to an unknown anchor');
    if (anchor === 'open') throw this.#error('the alias refers to a value that contains it');
    this.#aliasedValues += anchor.size;
    this.#count(anchor.size - 1, 'document contains excessive aliasing');
    if (this.#aliasedValues > 100 && this.#values > 1000 && this.#aliasedValues / this.#values > 0.99) {
      throw this.#error('document contains excessive aliasing');
    }
    this.#enter(anchor.height);
    this.#depth -= anchor.height;
    return copy(anchor.value);
  }

  #enter(levels: number): void {
    this.#depth += levels;
    this.#deepest = Math.max(this.#deepest, this.#depth);
    if (this.#depth > maxDepth) throw this.#error(`nested deeper than ${maxDepth} levels`);
  }

  #count(values: number, reason = `the document has more than ${maxValues} values`): void {
    this.#values += values;
    if (this.#values > maxValues) throw this.#error(reason);
  }

  #duplicate(key: string, value: Event | undefined): void {
    if (this.#duplicates.length >= maxDuplicates) return;
    const offset = (value && startOf(value)) ?? this.#offset;
    this.#duplicates.push(`line ${placeOf(this.#text, offset).line}: key ${JSON.stringify(key)} already set in map`);
  }

  #checked<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (error instanceof ScalarError) throw this.#error(error.message);
      throw error;
    }
  }

  #error(reason: string): DecodeError {
    return errorAt(this.#text, this.#offset, reason);
  }
}

/** Stands for the key `<<`, which as a string would also be the quoted key "<<". */
const mergeKey = Symbol('<<');

/** Where a node begins; undefined for one without text. A block scalar begins in the line of its `|` or `>`. */
function startOf(event: Event): number | undefined {
  let offset: number;
  switch (event.type) {
    case EVENT_ID.SCALAR: {
      const isBlock = event.style === SCALAR_STYLE.LITERAL_BLOCK || event.style === SCALAR_STYLE.FOLDED_BLOCK;
      offset = isBlock ? event.valueStart - 1 : event.valueStart;
      break;
    }
    case EVENT_ID.SEQUENCE:
    case EVENT_ID.MAPPING:
      offset = event.start;
      break;
    case EVENT_ID.ALIAS:
      offset = event.anchorStart;
      break;
    default:
      return undefined;
  }
  return offset < 0 ? undefined : offset;
}

function copy(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copy);
  if (typeof value !== 'object' || value === null) return value;
  const result: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) setOwn(result, key, copy(item));
  return result;
}
