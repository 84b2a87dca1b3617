import { bool, coreObject, int32, opt, ptr, quantity, str } from '../schema.ts';

/** Small objects that other objects of a pod point with. */

export const LocalObjectReferenceSchema = coreObject(
  'LocalObjectReference',
  {
    name: opt(str('Name of the object, in the same namespace.')),
  },
  { atomic: true },
);

export const TypedLocalObjectReferenceSchema = coreObject(
  'TypedLocalObjectReference',
  {
    apiGroup: ptr(str()),
    kind: str(),
    name: str(),
  },
  { atomic: true },
);

export const TypedObjectReferenceSchema = coreObject('TypedObjectReference', {
  apiGroup: ptr(str()),
  kind: str(),
  name: str(),
  namespace: ptr(str()),
});

export const ObjectFieldSelectorSchema = coreObject(
  'ObjectFieldSelector',
  {
    apiVersion: opt(str('Default: v1.')),
    fieldPath: str('Path of the field, such as metadata.name.'),
  },
  { atomic: true },
);

export const ResourceFieldSelectorSchema = coreObject(
  'ResourceFieldSelector',
  {
    containerName: opt(str("Name of the container; in a container's own environment it may be left out.")),
    resource: str('Resource, such as limits.cpu.'),
    divisor: opt(quantity('Unit of the value. Default: 1.')),
  },
  { atomic: true },
);

export const ConfigMapKeySelectorSchema = coreObject(
  'ConfigMapKeySelector',
  {
    name: opt(str('Name of the ConfigMap.')),
    key: str('Which of its values.'),
    optional: ptr(bool('Whether it may be missing.')),
  },
  { atomic: true },
);

export const SecretKeySelectorSchema = coreObject(
  'SecretKeySelector',
  {
    name: opt(str('Name of the Secret.')),
    key: str('Which of its values.'),
    optional: ptr(bool('Whether it may be missing.')),
  },
  { atomic: true },
);

export const FileKeySelectorSchema = coreObject(
  'FileKeySelector',
  {
    volumeName: str('The volume that the file is on.'),
    path: str('The file on it.'),
    key: str('Which of its variables.'),
    optional: ptr(bool('Whether it may be missing.')),
  },
  { atomic: true },
);

export const KeyToPathSchema = coreObject('KeyToPath', {
  key: str('The value.'),
  path: str('Its file, relative to the volume.'),
  mode: ptr(int32('Its mode.')),
});

export const ObjectReferenceSchema = coreObject(
  'ObjectReference',
  {
    kind: opt(str('Kind of the object.')),
    namespace: opt(str('Its namespace.')),
    name: opt(str('Its name.')),
    uid: opt(str('Its UID.')),
    apiVersion: opt(str('Its group and version.')),
    resourceVersion: opt(str('The version of it that is meant.')),
    fieldPath: opt(str('The part of it that is meant.')),
  },
  { atomic: true },
);
