import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { FieldError } from '../../api/field-error.ts';
import type { UpdateRules } from '../../api/kind.ts';
import { namespaceKind } from '../../api/kinds.ts';
import type { KubeObject, ManagedFieldsEntry, Status } from '../../api/meta.ts';
import { parseFieldSelector, parseLabelSelector } from '../../api/selectors.ts';
import { alreadyExists, conflict, invalid, methodNotAllowed, notFound } from '../../api/status-error.ts';
import type { Clock } from '../../util/clock.ts';
import { isReset, managedFieldsProblems } from '../fields/managed-fields.ts';
import type { Identity } from '../identity.ts';
import { applyPatch, type PatchType } from '../patch/apply-patch.ts';
import type { AnyKind } from '../representation.ts';
import type { DeleteOptions } from '../request/delete-options.ts';
import type { ListOptions } from '../request/list-options.ts';
import type { ApplyOptions, WriteOptions } from '../request/write-options.ts';
import { type DecodedBody, readApplied, readObject, readPatched } from './body.ts';
import { applyPart, managedAfterUpdate, type Writer } from './field-management.ts';
import { listPage, type Page } from './list-page.ts';
import { checkNamesMatch, keepSystemMetadata, setNewMetadata } from './metadata.ts';
import { randomNameSuffix } from './name-suffix.ts';
import { checkNotTerminating } from './namespace-deletion.ts';
import { type Strategy, type StrategyContext, strategyFor } from './strategies.ts';
import { type ObjectStore, viewedStore } from './viewed-store.ts';

/** Which object a request is about. */
export interface Target {
  readonly kind: AnyKind;
  /** Undefined for kinds without namespaces, and for lists over all of them. */
  readonly namespace: string | undefined;
  readonly name: string;
  readonly subresource: string | undefined;
  /** Who asks; without it nothing is allowed that depends on that. */
  readonly requester?: Identity | undefined;
}

export type Collection = Pick<Target, 'kind' | 'namespace' | 'requester'>;

export interface Written {
  readonly object: KubeObject;
  readonly warnings: readonly string[];
}

/** An object on its way to be stored; with managedFields: who manages it is known already. */
interface Made {
  readonly object: KubeObject;
  readonly managedFields?: ManagedFieldsEntry[] | undefined;
}

const emptyObject: KubeObject & Record<string, unknown> = {
  apiVersion: '',
  kind: '',
  metadata: { name: '', namespace: '', uid: '' },
  spec: {},
  status: {},
  involvedObject: {},
};

/** A refused name may be as long as a body; the answer repeats it twice. */
const maxShownName = 256;

/**
 * The verbs of the API over the store, the same for every kind: HTTP on one side, files on the other are unknown here.
 * Every method is synchronous and thereby atomic; whoever answers a client waits for `store.flushed()` first.
 */
export class ObjectApi {
  readonly #context: StrategyContext;
  readonly #objects: ObjectStore;
  readonly #clock: Clock;

  constructor(context: StrategyContext, clock: Clock) {
    this.#context = context;
    this.#objects = viewedStore(context.store);
    this.#clock = clock;
  }

  get({ kind, namespace, name }: Target): KubeObject {
    const object = this.#objects.get(kind, namespace, name);
    if (!object) throw notFound(kind, name);
    return object;
  }

  has({ kind, namespace, name }: Target): boolean {
    return this.#objects.get(kind, namespace, name) !== undefined;
  }

  /** @throws StatusError 410 or 504 when the state at the wanted resourceVersion is forgotten or yet to come. */
  list({ kind, namespace }: Collection, options: ListOptions): Page {
    return listPage(this.#objects, kind, { namespace, filter: selectorFilter(kind, options) }, options);
  }

  create({ kind, namespace, requester }: Collection, body: DecodedBody, options: WriteOptions): Written {
    const { object, warnings } = readObject(kind, body, options.fieldValidation);
    const written = this.#add({ kind, namespace, requester }, object, options, () => {
      // As the client means it: what the server decides is nobody's.
      const meant = structuredClone(object);
      kind.applyDefaults(meant);
      return (writer) => managedAfterUpdate(kind, undefined, meant, writer);
    });
    return { object: written.object, warnings: [...warnings, ...written.warnings] };
  }

  update(target: Target, body: DecodedBody, options: WriteOptions): Written {
    const { kind, namespace, name } = target;
    const { object, warnings } = readObject(kind, body, options.fieldValidation);
    checkNamesMatch(object, namespace, name);
    const written = this.#replace(target, options, () => ({ object }));
    return { object: written.object, warnings: [...warnings, ...written.warnings] };
  }

  patch(target: Target, type: PatchType, body: DecodedBody, options: WriteOptions): Written {
    const { kind, namespace, name } = target;
    let warnings: readonly string[] = [];
    const written = this.#replace(target, options, (current) => {
      const patched = applyPatch(type, current, body.value, kind.schema);
      const typed = readPatched(kind, name, patched, body.duplicates, options.fieldValidation);
      warnings = typed.warnings;
      checkNamesMatch(typed.object, namespace, name);
      return { object: typed.object };
    });
    return { object: written.object, warnings: [...warnings, ...written.warnings] };
  }

  /** Server-side apply: also makes the object when there is none. */
  apply(target: Target, body: DecodedBody, options: ApplyOptions): Written & { readonly isNew: boolean } {
    const { kind, namespace, name, subresource, requester } = target;
    const { part, warnings } = readApplied(kind, target, body, options.fieldValidation);
    const current = this.#objects.get(kind, namespace, name);
    const make = (present: KubeObject | undefined): Made =>
      applyPart(kind, present, part, { ...this.#writer(options, subresource), force: options.force }, (merged) => {
        const { object } = readPatched(kind, name, merged, [], 'Ignore');
        checkNamesMatch(object, namespace, name);
        return object;
      });
    if (current) {
      const written = this.#replace(target, options, make);
      return { ...written, warnings: [...warnings, ...written.warnings], isNew: false };
    }
    if (subresource !== undefined || !kind.verbs.includes('create')) throw notFound(kind, name);
    const { object, managedFields } = make(undefined);
    const { uid } = object.metadata;
    if (uid) {
      const why = `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`;
      throw conflict(kind, name, why);
    }
    const written = this.#add({ kind, namespace, requester }, object, options, () => () => managedFields);
    return { ...written, warnings: [...warnings, ...written.warnings], isNew: true };
  }

  delete(target: Target, options: DeleteOptions): KubeObject | Status {
    const object = this.get(target);
    if (options.dryRun) return object;
    return this.#strategy(target.kind).delete(object, options, this.#now());
  }

  /** @returns the objects as they were; some may take their time to go. */
  deleteCollection(collection: Collection, list: ListOptions, options: DeleteOptions): KubeObject[] {
    const { items } = this.list(collection, list);
    if (options.dryRun) return items;
    const strategy = this.#strategy(collection.kind);
    const now = this.#now();
    for (const item of items) {
      // A page shows an earlier state: what is gone since then needs nothing.
      const { namespace, name } = item.metadata;
      if (this.#objects.get(collection.kind, namespace, name)) strategy.delete(item, options, now);
    }
    return items;
  }

  /** @param managers looks at the object as it came, and tells in the end who manages it. */
  #add(
    { kind, namespace, requester }: Collection,
    object: KubeObject,
    options: WriteOptions,
    managers: () => (writer: Writer) => ManagedFieldsEntry[] | undefined,
  ): Written {
    const { store } = this.#context;
    const managed = managers();
    kind.prepareForCreate(object);
    this.#name(kind, object, namespace, this.#clock.now());
    const shownName = (object.metadata.name ?? '').slice(0, maxShownName);
    if (namespace !== undefined) {
      const there = store.get(namespaceKind, undefined, namespace);
      if (!there) throw notFound(namespaceKind, namespace);
      checkNotTerminating(there, kind, shownName);
    }
    kind.applyDefaults(object);
    const strategy = this.#strategy(kind);
    strategy.complete(object);
    const errors = [...kind.validateCreate(object), ...strategy.validate(object), ...askedManagersProblems(object)];
    if (errors.length > 0) throw invalid(kind, shownName, errors);
    const warnings = strategy.admit(object, undefined, requester);
    setManagedFields(object, managed(this.#writer(options, undefined)));
    if (!options.dryRun) return { object: this.#objects.create(kind, object), warnings };
    if (this.#objects.get(kind, namespace, object.metadata.name)) throw alreadyExists(kind, object.metadata.name);
    return { object, warnings };
  }

  #replace(target: Target, options: WriteOptions, make: (current: KubeObject) => Made): Written {
    const { kind, namespace, name, subresource, requester } = target;
    let warnings: readonly string[] = [];
    const mutate = (current: KubeObject): KubeObject => {
      const made = make(current);
      const next = made.object;
      keepSystemMetadata(kind, next, current);
      if (subresource !== undefined) delete next.metadata.managedFields;
      const rules = updateRules(kind, subresource);
      rules.prepareForUpdate(next, current);
      kind.applyDefaults(next);
      const errors = [...rules.validateUpdate(next, current), ...askedManagersProblems(next)];
      if (errors.length > 0) throw invalid(kind, name, errors);
      if (subresource !== 'status') warnings = this.#strategy(kind).admit(next, current, requester);
      const writer = this.#writer(options, subresource);
      setManagedFields(
        next,
        'managedFields' in made ? made.managedFields : managedAfterUpdate(kind, current, next, writer),
      );
      raiseGeneration(next, current);
      return next;
    };
    const object = options.dryRun ? mutate(this.get(target)) : this.#objects.update(kind, namespace, name, mutate);
    if (!options.dryRun) this.#strategy(kind).updated?.(object);
    return { object, warnings };
  }

  #writer({ fieldManager }: WriteOptions, subresource: string | undefined): Writer {
    return { fieldManager, subresource, now: this.#now() };
  }

  #name(kind: AnyKind, object: KubeObject, namespace: string | undefined, now: number): void {
    const isGenerated = !object.metadata.name && object.metadata.generateName;
    for (let attempt = 0; ; attempt++) {
      const nameSuffix = randomNameSuffix();
      setNewMetadata(object, { namespace, uid: randomUUID(), now, nameSuffix });
      const { name } = object.metadata;
      if (!isGenerated || attempt === 8 || !this.#objects.get(kind, namespace, name)) return;
      object.metadata.name = '';
    }
  }

  #now(): string {
    return new Date(this.#clock.now()).toISOString().replace(/\.\d+Z$/, 'Z');
  }

  #strategy(kind: AnyKind): Strategy {
    return strategyFor(kind, this.#context);
  }
}

function setManagedFields({ metadata }: KubeObject, managedFields: ManagedFieldsEntry[] | undefined): void {
  if (managedFields) metadata.managedFields = managedFields;
  else delete metadata.managedFields;
}

/** What is wrong with the managers that a client wants to set itself. */
function askedManagersProblems({ metadata: { managedFields } }: KubeObject): FieldError[] {
  return managedFields === undefined || isReset(managedFields) ? [] : managedFieldsProblems(managedFields);
}

function updateRules(kind: AnyKind, subresource: string | undefined): UpdateRules<KubeObject> {
  if (subresource === undefined) return kind;
  if (subresource === 'status') {
    return { prepareForUpdate: kind.prepareForStatusUpdate, validateUpdate: kind.validateStatusUpdate };
  }
  const rules = kind.subresourceRules?.[subresource];
  if (!rules) throw methodNotAllowed(kind, 'update');
  return rules;
}

/** What the selectors of a request let through; undefined when there are none. @throws StatusError 400. */
export function selectorFilter(
  kind: Pick<AnyKind, 'selectableFields'>,
  options: Pick<ListOptions, 'labelSelector' | 'fieldSelector'>,
): ((object: KubeObject) => boolean) | undefined {
  const { labelSelector, fieldSelector } = options;
  if (labelSelector === undefined && fieldSelector === undefined) return undefined;
  const labels = labelSelector === undefined ? undefined : parseLabelSelector(labelSelector);
  const fields = fieldSelector === undefined ? undefined : parseFieldSelector(fieldSelector);
  // Any object tells which fields the kind has; what it has not must be refused now, not when an object comes.
  fields?.matches(kind.selectableFields(emptyObject));
  return (object) =>
    (!labels || labels.matches(object.metadata.labels ?? {})) &&
    (!fields || fields.matches(kind.selectableFields(object)));
}

/** Kinds that count generations raise it with every change of the spec. */
function raiseGeneration(next: KubeObject, current: KubeObject): void {
  const { generation } = current.metadata;
  if (generation === undefined || !('spec' in next) || !('spec' in current)) return;
  // As they are stored: maps of a decoded body have no prototype, and undefined members are none.
  const isSame = isDeepStrictEqual(JSON.parse(JSON.stringify(next.spec)), JSON.parse(JSON.stringify(current.spec)));
  next.metadata.generation = isSame ? generation : generation + 1;
}
