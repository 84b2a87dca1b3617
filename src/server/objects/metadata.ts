import type { KubeObject } from '../../api/meta.ts';
import { badRequest, conflict } from '../../api/status-error.ts';
import type { AnyKind } from '../representation.ts';

/** What the server says of a new object, whatever the client wrote there. */
export interface NewIdentity {
  readonly namespace: string | undefined;
  readonly uid: string;
  /** Epoch milliseconds. */
  readonly now: number;
  /** Five characters for a name that is to be made. */
  readonly nameSuffix: string;
}

/** Kubernetes cuts the given part so that the made name stays a valid label. */
const maxGeneratePrefix = 58;

/** Sets the metadata that is not the client's to choose, in place. Rules of k8s.io/apiserver's BeforeCreate. */
export function setNewMetadata(object: KubeObject, identity: NewIdentity): void {
  const { metadata } = object;
  if (metadata.resourceVersion) throw badRequest('resourceVersion should not be set on objects to be created');
  checkNamespace(metadata.namespace, identity.namespace);
  if (identity.namespace !== undefined) metadata.namespace = identity.namespace;
  if (!metadata.name && metadata.generateName) {
    metadata.name = metadata.generateName.slice(0, maxGeneratePrefix) + identity.nameSuffix;
  }
  metadata.uid = identity.uid;
  metadata.creationTimestamp = new Date(identity.now).toISOString().replace(/\.\d+Z$/, 'Z');
  delete metadata.deletionTimestamp;
  delete metadata.deletionGracePeriodSeconds;
  delete metadata.selfLink;
}

/** Brings back what an update cannot change, in place on next. @throws StatusError Conflict when it is of another state. */
export function keepSystemMetadata(kind: AnyKind, next: KubeObject, current: KubeObject): void {
  const { name = '' } = current.metadata;
  const metadata = next.metadata;
  if (metadata.resourceVersion && metadata.resourceVersion !== current.metadata.resourceVersion) {
    throw conflict(kind, name);
  }
  if (metadata.uid && metadata.uid !== current.metadata.uid) {
    throw conflict(
      kind,
      name,
      `Precondition failed: UID in precondition: ${metadata.uid}, UID in object meta: ${current.metadata.uid}`,
    );
  }
  for (const field of [
    'uid',
    'creationTimestamp',
    'deletionTimestamp',
    'deletionGracePeriodSeconds',
    'generateName',
    'generation',
    'resourceVersion',
  ] as const) {
    copyField(metadata, current.metadata, field);
  }
  delete metadata.selfLink;
}

/** The URL says which object is meant; what the body says may be missing but not different. */
export function checkNamesMatch(object: KubeObject, namespace: string | undefined, name: string): void {
  const given = object.metadata;
  if (!given.name) throw badRequest('name must be provided');
  if (given.name !== name) {
    throw badRequest(`the name of the object (${given.name}) does not match the name on the URL (${name})`);
  }
  if (given.namespace && given.namespace !== (namespace ?? '')) {
    throw badRequest(
      `the namespace of the object (${given.namespace}) does not match the namespace on the URL (${namespace ?? ''})`,
    );
  }
  if (namespace !== undefined) given.namespace = namespace;
}

function checkNamespace(given: string | undefined, wanted: string | undefined): void {
  if (given && given !== (wanted ?? '')) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
}

function copyField<T extends object, K extends keyof T>(to: T, from: T, field: K): void {
  if (from[field] === undefined) delete to[field];
  else to[field] = from[field];
}
