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

const HintSchema = groupObject('discovery', 'ForZone', { name: str('Name of the zone.') });
const NodeHintSchema = groupObject('discovery', 'ForNode', { name: str('Name of the node.') });

export const EndpointHintsSchema = groupObject('discovery', 'EndpointHints', {
  forZones: opt(atomicList(HintSchema, 'Zones whose clients should use it.')),
  forNodes: opt(atomicList(NodeHintSchema, 'Nodes whose clients should use it.')),
});

export const EndpointSchema = groupObject('discovery', 'Endpoint', {
  addresses: list(str(), { type: 'set' }, 'Of one pod; clients use the first.'),
  conditions: opt(EndpointConditionsSchema),
  hostname: ptr(str('Its name below that of the service.')),
  targetRef: opt(ObjectReferenceSchema),
  deprecatedTopology: opt(stringMap('Of the older version of this kind.')),
  nodeName: ptr(str('The node that it is on.')),
  zone: ptr(str('The zone that it is in.')),
  hints: opt(EndpointHintsSchema),
});

export const EndpointPortSchema = groupObject(
  'discovery',
  'EndpointPort',
  {
    name: ptr(str('Of the port of the service.')),
    protocol: ptr(oneOf(['SCTP', 'TCP', 'UDP'], 'SCTP, TCP or UDP. Default: TCP.')),
    port: ptr(int32('The port of the pods.')),
    appProtocol: ptr(str('What is spoken, as a hint to clients.')),
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
    addressType: oneOf(addressTypes, 'What all of its addresses are.'),
    endpoints: atomicList(EndpointSchema, 'The pods; at most 1,000.'),
    ports: opt(atomicList(EndpointPortSchema, 'The ports that all of them have.')),
  },
  { description: 'Addresses and ports of pods that a service stands for.' },
);

export interface EndpointSlice extends Omit<Static<typeof EndpointSliceSchema>, 'metadata'> {
  metadata: NamespacedObjectMeta;
}
export type Endpoint = Static<typeof EndpointSchema>;
export type EndpointPort = Static<typeof EndpointPortSchema>;
