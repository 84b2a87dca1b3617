import { bool, coreObject, int32, opt, ptr, quantity, str } from '../schema.ts';

/** Small objects that other objects of a pod point with. */

export const LocalObjectReferenceSchema = coreObject(
  'LocalObjectReference',
  {
    name: opt(str()),
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
    name: opt(str()),
    key: str(),
    optional: ptr(bool()),
  },
  { atomic: true },
);

export const SecretKeySelectorSchema = coreObject(
  'SecretKeySelector',
  {
    name: opt(str()),
    key: str(),
    optional: ptr(bool()),
  },
  { atomic: true },
);

export const FileKeySelectorSchema = coreObject(
  'FileKeySelector',
  {
    volumeName: str(),
    path: str(),
    key: str(),
    optional: ptr(bool()),
  },
  { atomic: true },
);

export const KeyToPathSchema = coreObject('KeyToPath', {
  key: str(),
  path: str(),
  mode: ptr(int32()),
});

export const ObjectReferenceSchema = coreObject(
  'ObjectReference',
  {
    kind: opt(str()),
    namespace: opt(str()),
    name: opt(str()),
    uid: opt(str()),
    apiVersion: opt(str()),
    resourceVersion: opt(str()),
    fieldPath: opt(str()),
  },
  { atomic: true },
);
