import type { Static } from 'typebox';
import { type NamespacedObjectMeta, ObjectMetaSchema } from './meta.ts';
import { ObjectReferenceSchema } from './pod/references.ts';
import { atomicList, bool, groupObject, int32, list, oneOf, opt, ptr, str, stringMap } from './schema.ts';

export const addressTypes = ['FQDN', 'IPv4', 'IPv6'] as const;

export const EndpointConditionsSchema = groupObject('discovery', 'EndpointConditions', {
  ready: ptr(bool('Whether it is to get connections.')),
  serving: ptr(bool('As ready, also while it is being deleted.')),
  terminating: ptr(bool('Whether it is being deleted.')),
});

const HintSchema = groupObject('discovery', 'ForZone', { name: str() });
const NodeHintSchema = groupObject('discovery', 'ForNode', { name: str() });

export const EndpointHintsSchema = groupObject('discovery', 'EndpointHints', {
  forZones: opt(atomicList(HintSchema)),
  forNodes: opt(atomicList(NodeHintSchema)),
});

export const EndpointSchema = groupObject('discovery', 'Endpoint', {
  addresses: list(str(), { type: 'set' }),
  conditions: opt(EndpointConditionsSchema),
  hostname: ptr(str()),
  targetRef: opt(ObjectReferenceSchema),
  deprecatedTopology: opt(stringMap()),
  nodeName: ptr(str()),
  zone: ptr(str()),
  hints: opt(EndpointHintsSchema),
});

export const EndpointPortSchema = groupObject(
  'discovery',
  'EndpointPort',
  {
    name: ptr(str()),
    protocol: ptr(oneOf(['SCTP', 'TCP', 'UDP'])),
    port: ptr(int32()),
    appProtocol: ptr(str()),
  },
  { atomic: true },
);

export const EndpointSliceSchema = groupObject(
  'discovery',
  'EndpointSlice',
  {
    apiVersion: str(),
    kind: str(),
    metadata: ObjectMetaSchema,
    addressType: oneOf(addressTypes),
    endpoints: atomicList(EndpointSchema),
    ports: opt(atomicList(EndpointPortSchema)),
  },
  { description: 'Addresses and ports of pods that a service stands for.' },
);

export interface EndpointSlice extends Omit<Static<typeof EndpointSliceSchema>, 'metadata'> {
  metadata: NamespacedObjectMeta;
}
export type Endpoint = Static<typeof EndpointSchema>;
export type EndpointPort = Static<typeof EndpointPortSchema>;
