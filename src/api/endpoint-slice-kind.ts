import { ageText } from './duration-text.ts';
import { addressTypes, type EndpointSlice, EndpointSliceSchema } from './endpoint-slice.ts';
import { type FieldError, FieldErrors, invalid, notSupported, required, tooMany } from './field-error.ts';
import { checkDnsSubdomain, checkIp, checkPortNumber } from './formats.ts';
import type { Cell, KindDefinition, TableColumn } from './kind.ts';
import { addProblems, immutableMessage, validateObjectMeta, validateObjectMetaUpdate } from './meta-validation.ts';

const columns: readonly TableColumn[] = [
  { name: 'Name', type: 'string', format: 'name', description: 'Name of the slice.', priority: 0 },
  { name: 'AddressType', type: 'string', format: '', description: 'Kind of its addresses.', priority: 0 },
  { name: 'Ports', type: 'string', format: '', description: 'Its ports.', priority: 0 },
  { name: 'Endpoints', type: 'string', format: '', description: 'Its addresses.', priority: 0 },
  { name: 'Age', type: 'string', format: '', description: 'Time since it was created.', priority: 0 },
];

const maxEndpoints = 1_000;
const maxPorts = 20_000;
const maxAddresses = 100;
/** What a table's cell shows (pkg/printers/internalversion). */
const maxShown = 3;

/** The kind EndpointSlice of discovery.k8s.io/v1. The daemon writes them for services with a selector. */
export const endpointSliceKind: KindDefinition<EndpointSlice> = {
  group: 'discovery.k8s.io',
  version: 'v1',
  kind: 'EndpointSlice',
  listKind: 'EndpointSliceList',
  plural: 'endpointslices',
  singular: 'endpointslice',
  shortNames: [],
  categories: [],
  namespaced: true,
  schema: EndpointSliceSchema,
  verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
  subresources: [],
  prepareForCreate: () => {},
  prepareForUpdate: () => {},
  prepareForStatusUpdate: () => {},
  applyDefaults: ({ ports = [] }) => {
    for (const port of ports) {
      port.name ??= '';
      port.protocol ??= 'TCP';
    }
  },
  validateCreate: validateSlice,
  validateUpdate: (next, current) => [
    ...validateObjectMetaUpdate(next.metadata, current.metadata),
    ...(next.addressType === current.addressType ? [] : [invalid('addressType', next.addressType, immutableMessage)]),
    ...validateSlice(next),
  ],
  validateStatusUpdate: () => [],
  columns,
  row,
  selectableFields: ({ metadata }) => ({
    'metadata.name': metadata.name,
    'metadata.namespace': metadata.namespace,
  }),
};

/** ValidateEndpointSlice in pkg/apis/discovery/validation. */
function validateSlice(slice: EndpointSlice): FieldError[] {
  const errors = new FieldErrors();
  const rules = { namespaced: true, checkName: checkDnsSubdomain };
  for (const error of validateObjectMeta(slice.metadata, rules)) errors.push(error);
  const { addressType, endpoints, ports = [] } = slice;
  const type: string = addressType;
  if (type === '') errors.push(required('addressType'));
  else if (!addressTypes.some((known) => known === type)) errors.push(notSupported('addressType', type, addressTypes));
  if (endpoints.length > maxEndpoints) errors.push(tooMany('endpoints', endpoints.length, maxEndpoints));
  for (const [index, { addresses }] of endpoints.slice(0, maxEndpoints).entries()) {
    const path = `endpoints[${index}].addresses`;
    if (addresses.length === 0) errors.push(required(path, 'must contain at least 1 address'));
    if (addresses.length > maxAddresses) errors.push(tooMany(path, addresses.length, maxAddresses));
    for (const [at, address] of addresses.slice(0, maxAddresses).entries()) {
      const problems = type === 'FQDN' ? checkDnsSubdomain(address) : checkIp(address);
      addProblems(errors, `${path}[${at}]`, address, problems);
    }
  }
  if (ports.length > maxPorts) errors.push(tooMany('ports', ports.length, maxPorts));
  for (const [index, { port, protocol = '' }] of ports.slice(0, maxPorts).entries()) {
    if (port !== undefined) addProblems(errors, `ports[${index}].port`, port, checkPortNumber(port));
    if (!['SCTP', 'TCP', 'UDP'].includes(protocol)) {
      errors.push(notSupported(`ports[${index}].protocol`, protocol, ['SCTP', 'TCP', 'UDP']));
    }
  }
  return errors.list;
}

function row({ metadata, addressType, endpoints, ports = [] }: EndpointSlice, now: number): Cell[] {
  return [
    metadata.name,
    addressType,
    shown(
      ports.map(({ port }) => (port === undefined ? '*' : String(port))),
      '<unset>',
    ),
    shown(
      endpoints.flatMap(({ addresses }) => addresses),
      '<unset>',
    ),
    ageText(metadata.creationTimestamp, now),
  ];
}

function shown(texts: readonly string[], none: string): string {
  if (texts.length === 0) return none;
  const more = texts.length - maxShown;
  return `${texts.slice(0, maxShown).join(',')}${more > 0 ? ` + ${more} more...` : ''}`;
}
