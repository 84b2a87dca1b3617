import type { TSchema } from 'typebox';
import type { FieldError } from './field-error.ts';
import type { KubeObject } from './meta.ts';

/** A column of the table that kubectl prints. Priority 0 is always shown, 1 with `-o wide`. */
export interface TableColumn {
  name: string;
  type: 'string' | 'integer' | 'boolean' | 'date';
  format: string;
  description: string;
  priority: number;
}

export type Cell = string | number | boolean;

export type Verb = 'create' | 'delete' | 'deletecollection' | 'get' | 'list' | 'patch' | 'update' | 'watch';

/** Part of an object with a path and rules of its own, `pods/status`. */
export interface Subresource {
  name: string;
  /** The kind that requests and answers carry: Pod for `status`, PodExecOptions for `exec`. */
  kind: string;
  /** Group and version of that kind, where they are not the resource's own. */
  group?: string;
  version?: string;
  verbs: readonly ('create' | 'get' | 'patch' | 'update')[];
}

/** What a subresource lets a client change. Pure. */
export interface UpdateRules<T extends KubeObject> {
  /** Keeps everything else from the current object, in place on next. */
  prepareForUpdate(next: T, current: T): void;
  /** All reasons to refuse the change from current to next. */
  validateUpdate(next: T, current: T): FieldError[];
}

/** Of a kind whose objects are kept as those of another kind, and only look different. Pure. */
export interface KindView<T extends KubeObject> {
  readonly of: KindDefinition<KubeObject>;
  show(stored: KubeObject): T;
  store(object: T): KubeObject;
}

/**
 * All that the server and the store need to know of a kind. Methods are pure.
 *
 * The way of an object that is created: decode, checkStructure (structural.ts), prepareForCreate (once), names and
 * other metadata that the server gives, applyDefaults, validateCreate, store. The way of an update: the same with
 * prepareForUpdate and validateUpdate. Name, uid, times and generation are the server's business.
 */
export interface KindDefinition<T extends KubeObject> {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly listKind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly namespaced: boolean;
  readonly schema: TSchema;
  readonly verbs: readonly Verb[];
  readonly subresources: readonly Subresource[];
  /** Of the subresources other than `status` that can be written. */
  readonly subresourceRules?: Readonly<Record<string, UpdateRules<T>>>;
  /** Set: the store has no objects of this kind, but those of the other one. */
  readonly view?: KindView<T>;
  /** True: the store encrypts its objects on the disk. */
  readonly isSecret?: boolean;

  /** Takes out what a client may not set on create (status and the like), in place. Not to be done twice. */
  prepareForCreate(object: T): void;
  /** Keeps of the current object what an update may not touch (status), in place on next. */
  prepareForUpdate(next: T, current: T): void;
  /** Keeps everything but the status from the current object, in place on next. */
  prepareForStatusUpdate(next: T, current: T): void;
  /** Brings a part of an object that is applied into the form in which it is stored, in place. */
  prepareForApply?(part: Partial<T>): void;
  /** Fills in defaults, in place on a private copy. Doing it twice changes nothing. */
  applyDefaults(object: T): void;
  /** All reasons to refuse a new object. */
  validateCreate(object: T): FieldError[];
  /** All reasons to refuse the change from current to next. */
  validateUpdate(next: T, current: T): FieldError[];
  validateStatusUpdate(next: T, current: T): FieldError[];

  readonly columns: readonly TableColumn[];
  /** The cells of one table row. `now` in ms since the epoch, for ages. */
  row(object: T, now: number): Cell[];
  /** The fields that a fieldSelector can name, with their values. */
  selectableFields(object: T): Record<string, string>;
}
