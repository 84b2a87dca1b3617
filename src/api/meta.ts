import type { Static } from 'typebox';
import {
  anyObject,
  atomicList,
  bool,
  int64,
  list,
  metaObject,
  oneOf,
  opt,
  ptr,
  str,
  stringMap,
  time,
} from './schema.ts';

/** The parts of meta/v1 that every object has, and the Status that every failed request gets. */

export const OwnerReferenceSchema = metaObject(
  'OwnerReference',
  {
    apiVersion: str('Group and version of the owner.'),
    kind: str('Kind of the owner.'),
    name: str('Name of the owner.'),
    uid: str('UID of the owner.'),
    controller: ptr(bool('Whether it is the one that manages the object.')),
    blockOwnerDeletion: ptr(bool('Whether the owner waits for the object when both are deleted in the foreground.')),
  },
  { atomic: true },
);

export const ManagedFieldsEntrySchema = metaObject('ManagedFieldsEntry', {
  manager: opt(str('Who has set them.')),
  operation: opt(str('Apply or Update.')),
  apiVersion: opt(str('The version in which they were set.')),
  time: opt(time('When that changed last.')),
  fieldsType: opt(str('FieldsV1.')),
  fieldsV1: opt(anyObject()),
  subresource: opt(str('Through which part of the object.')),
});

export const ObjectMetaSchema = metaObject('ObjectMeta', {
  name: opt(str('Name of the object, unique among those of its kind in its namespace.')),
  generateName: opt(str('Without a name, the daemon makes one that begins with this.')),
  namespace: opt(str('The namespace that the name is unique in.')),
  selfLink: opt(str('Of older versions; not set.')),
  uid: opt(str('Identity of this object in time: another object of the same name has another uid.')),
  resourceVersion: opt(str('Changes with every write. An update that gives an older one is refused.')),
  generation: opt(int64('Rises with every change of the spec.')),
  creationTimestamp: opt(time('When it was created.')),
  deletionTimestamp: opt(time('When the grace period of a deletion ends.')),
  deletionGracePeriodSeconds: ptr(int64('How long it has to end.')),
  labels: opt(stringMap('Names and values to select objects by.')),
  annotations: opt(stringMap('Names and values that tools keep with the object.')),
  ownerReferences: opt(
    list(
      OwnerReferenceSchema,
      { type: 'map', keys: ['uid'], patchMergeKey: 'uid', patchStrategy: 'merge' },
      'Objects that it belongs to.',
    ),
  ),
  finalizers: opt(
    list(str(), { type: 'set', patchStrategy: 'merge' }, 'While there are any, it stays after its deletion.'),
  ),
  managedFields: opt(atomicList(ManagedFieldsEntrySchema, 'Who has set which fields.')),
});

export const LabelSelectorRequirementSchema = metaObject('LabelSelectorRequirement', {
  key: str('The label.'),
  operator: oneOf(['In', 'NotIn', 'Exists', 'DoesNotExist'], 'In, NotIn, Exists or DoesNotExist.'),
  values: opt(atomicList(str(), 'For In and NotIn.')),
});

export const LabelSelectorSchema = metaObject(
  'LabelSelector',
  {
    matchLabels: opt(stringMap('Labels that an object has.')),
    matchExpressions: opt(atomicList(LabelSelectorRequirementSchema, 'Requirements that an object meets.')),
  },
  { atomic: true },
);

export const ConditionSchema = metaObject('Condition', {
  type: str('What it is about.'),
  status: oneOf(['True', 'False', 'Unknown'], 'True, False or Unknown.'),
  observedGeneration: opt(int64('The spec that this is about.')),
  lastTransitionTime: time('When the status changed last.'),
  reason: str('Why, as one word.'),
  message: str('Why, for people.'),
});

export type OwnerReference = Static<typeof OwnerReferenceSchema>;
export type ManagedFieldsEntry = Static<typeof ManagedFieldsEntrySchema>;
export type LabelSelector = Static<typeof LabelSelectorSchema>;
export type LabelSelectorRequirement = Static<typeof LabelSelectorRequirementSchema>;

/** Metadata of a stored object. A document on its way in may lack name (generateName) and uid. */
export interface ObjectMeta extends Static<typeof ObjectMetaSchema> {
  name: string;
  uid: string;
}

export interface NamespacedObjectMeta extends ObjectMeta {
  namespace: string;
}

/** What any object of any kind has. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
}

export interface ListMeta {
  resourceVersion?: string;
  continue?: string;
  remainingItemCount?: number;
}

export interface StatusCause {
  reason?: string;
  message?: string;
  /** Path of the field, such as `spec.containers[0].name`. */
  field?: string;
}

export interface StatusDetails {
  name?: string;
  group?: string;
  kind?: string;
  uid?: string;
  causes?: StatusCause[];
  retryAfterSeconds?: number;
}

/** metav1.Status: the body of every answer that is not an object. */
export interface Status {
  apiVersion: 'v1';
  kind: 'Status';
  metadata: ListMeta;
  status: 'Success' | 'Failure';
  message?: string;
  /** Machine-readable: NotFound, AlreadyExists, Conflict, Invalid, BadRequest, Expired, ... */
  reason?: string;
  details?: StatusDetails;
  /** HTTP status code. */
  code?: number;
}
