import { ageText } from './duration-text.ts';
import { type Endpoints, EndpointsSchema } from './endpoints.ts';
import type { KindDefinition } from './kind.ts';

/** What a table's cell shows (pkg/printers/internalversion). */
const maxShown = 3;

/** The kind Endpoints of core/v1. The daemon writes them for services with a selector; clients read them. */
export const endpointsKind: KindDefinition<Endpoints> = {
  group: '',
  version: 'v1',
  kind: 'Endpoints',
  listKind: 'EndpointsList',
  plural: 'endpoints',
  singular: 'endpoints',
  shortNames: ['ep'],
  categories: [],
  namespaced: true,
  schema: EndpointsSchema,
  verbs: ['get', 'list', 'watch'],
  subresources: [],
  prepareForCreate: () => {},
  prepareForUpdate: () => {},
  prepareForStatusUpdate: () => {},
  applyDefaults: () => {},
  validateCreate: () => [],
  validateUpdate: () => [],
  validateStatusUpdate: () => [],
  columns: [
    { name: 'Name', type: 'string', format: 'name', description: 'Name of the service.', priority: 0 },
    { name: 'Endpoints', type: 'string', format: '', description: 'Addresses that get connections.', priority: 0 },
    { name: 'Age', type: 'string', format: '', description: 'Time since they were created.', priority: 0 },
  ],
  row: (endpoints, now) => [
    endpoints.metadata.name,
    endpointsText(endpoints),
    ageText(endpoints.metadata.creationTimestamp, now),
  ],
  selectableFields: ({ metadata }) => ({
    'metadata.name': metadata.name,
    'metadata.namespace': metadata.namespace,
  }),
};

/** `10.0.0.1:80,10.0.0.2:80 + 1 more...` */
function endpointsText({ subsets = [] }: Endpoints): string {
  const texts = subsets.flatMap(({ addresses = [], ports = [] }) =>
    ports.length === 0
      ? addresses.map(({ ip }) => ip)
      : ports.flatMap(({ port }) => addresses.map(({ ip }) => `${ip.includes(':') ? `[${ip}]` : ip}:${port}`)),
  );
  if (texts.length === 0) return '<none>';
  const more = texts.length - maxShown;
  return `${texts.slice(0, maxShown).join(',')}${more > 0 ? ` + ${more} more...` : ''}`;
}
