import type { Static } from 'typebox';
import { type ObjectMeta, ObjectMetaSchema } from './meta.ts';
import { TolerationSchema } from './pod/scheduling.ts';
import { atomicList, atomicMap, nodeGroupObject, opt, resourceList, str } from './schema.ts';

export const OverheadSchema = nodeGroupObject('Overhead', {
  podFixed: opt(resourceList('What running a pod takes besides its containers.')),
});

export const SchedulingSchema = nodeGroupObject('Scheduling', {
  nodeSelector: opt(atomicMap(str(), 'Labels of the nodes that have the handler: added to those that a pod asks for.')),
  tolerations: opt(atomicList(TolerationSchema, 'Added to those of each pod.')),
});

export const RuntimeClassSchema = nodeGroupObject(
  'RuntimeClass',
  {
    apiVersion: str(),
    kind: str(),
    metadata: ObjectMetaSchema,
    handler: str("The handler's name in the configuration of the container runtime."),
    overhead: opt(OverheadSchema),
    scheduling: opt(SchedulingSchema),
  },
  { description: 'How the container runtime runs pods that name it.' },
);

export interface RuntimeClass extends Omit<Static<typeof RuntimeClassSchema>, 'metadata'> {
  metadata: ObjectMeta;
}
