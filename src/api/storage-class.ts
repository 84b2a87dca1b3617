import type { Static } from 'typebox';
import { type ObjectMeta, ObjectMetaSchema } from './meta.ts';
import { atomicList, bool, coreObject, oneOf, opt, ptr, storageObject, str, stringMap } from './schema.ts';

export const TopologySelectorLabelRequirementSchema = coreObject('TopologySelectorLabelRequirement', {
  key: str('The label of the node.'),
  values: atomicList(str(), 'One of these is its value.'),
});

export const TopologySelectorTermSchema = coreObject(
  'TopologySelectorTerm',
  { matchLabelExpressions: opt(atomicList(TopologySelectorLabelRequirementSchema, 'All of them hold.')) },
  { atomic: true },
);

export const StorageClassSchema = storageObject(
  'StorageClass',
  {
    apiVersion: str(),
    kind: str(),
    metadata: ObjectMetaSchema,
    provisioner: str('Who makes the volumes.'),
    parameters: opt(stringMap('What the provisioner is told.')),
    reclaimPolicy: ptr(oneOf(['Delete', 'Retain'], 'Of the volumes that are made. Default: Delete.')),
    mountOptions: opt(atomicList(str(), 'Of the volumes that are made.')),
    allowVolumeExpansion: ptr(bool('Whether claims may grow.')),
    volumeBindingMode: ptr(oneOf(['Immediate', 'WaitForFirstConsumer'], 'Default: Immediate.')),
    allowedTopologies: opt(atomicList(TopologySelectorTermSchema, 'Where volumes may be made.')),
  },
  { description: 'A way to make volumes for claims.' },
);

export interface StorageClass extends Omit<Static<typeof StorageClassSchema>, 'metadata'> {
  metadata: ObjectMeta;
}

export const DEFAULT_CLASS = 'storageclass.kubernetes.io/is-default-class';
const BETA_DEFAULT_CLASS = 'storageclass.beta.kubernetes.io/is-default-class';

/** The provisioner of this daemon: directories of the host. */
export const LOCAL_PROVISIONER = 'mini-kubelet.io/local';
/** For volumes that somebody makes by hand. */
export const NO_PROVISIONER = 'kubernetes.io/no-provisioner';

export function isDefaultClass({ metadata }: StorageClass): boolean {
  const { annotations = {} } = metadata;
  return annotations[DEFAULT_CLASS] === 'true' || annotations[BETA_DEFAULT_CLASS] === 'true';
}

/** PURE. The class of a claim that names none: of several defaults the newest. */
export function defaultClass(classes: readonly StorageClass[]): StorageClass | undefined {
  const [first] = classes.filter(isDefaultClass).sort((a, b) => {
    const [older, newer] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? ''];
    if (older !== newer) return older < newer ? 1 : -1;
    return a.metadata.name < b.metadata.name ? -1 : 1;
  });
  return first;
}
