import type { Static } from 'typebox';
import { type NamespacedObjectMeta, ObjectMetaSchema } from './meta.ts';
import { ObjectReferenceSchema } from './pod/references.ts';
import { atomicList, coreObject, int32, oneOf, opt, ptr, str } from './schema.ts';

export const EndpointAddressSchema = coreObject(
  'EndpointAddress',
  {
    ip: str('An address of a pod.'),
    hostname: opt(str('Its name below that of the service.')),
    nodeName: ptr(str('The node that it is on.')),
    targetRef: opt(ObjectReferenceSchema),
  },
  { atomic: true },
);

export const EndpointsPortSchema = coreObject(
  'EndpointPort',
  {
    name: opt(str('Of the port of the service.')),
    port: int32('The port of the pods.'),
    protocol: opt(oneOf(['SCTP', 'TCP', 'UDP'], 'SCTP, TCP or UDP. Default: TCP.')),
    appProtocol: ptr(str('What is spoken, as a hint to clients.')),
  },
  { atomic: true },
);

export const EndpointSubsetSchema = coreObject('EndpointSubset', {
  addresses: opt(atomicList(EndpointAddressSchema, 'Of pods that get connections.')),
  notReadyAddresses: opt(atomicList(EndpointAddressSchema, 'Of pods that are not ready.')),
  ports: opt(atomicList(EndpointsPortSchema, 'The ports that all of them have.')),
});

export const EndpointsSchema = coreObject(
  'Endpoints',
  {
    apiVersion: str(),
    kind: str(),
    metadata: ObjectMetaSchema,
    subsets: opt(atomicList(EndpointSubsetSchema, 'The pods, by the ports that they have.')),
  },
  {
    description:
      'Addresses and ports of the pods of the service with the same name. Newer clients read EndpointSlices.',
  },
);

export interface Endpoints extends Omit<Static<typeof EndpointsSchema>, 'metadata'> {
  metadata: NamespacedObjectMeta;
}
export type EndpointSubset = Static<typeof EndpointSubsetSchema>;
export type EndpointAddress = Static<typeof EndpointAddressSchema>;
