import type { KindDefinition } from './kind.ts';
import type { KubeObject } from './meta.ts';
import { addQuantity, formatQuantity, parseQuantity } from './quantity.ts';

/** Of `metrics.k8s.io/v1beta1`: what nodes and pods use at the moment. Made when asked for, and never stored. */

export interface ResourceUsage {
  /** A quantity: `1234567n`. */
  readonly cpu: string;
  /** The working set: `5120Ki`. */
  readonly memory: string;
}

interface Measured {
  /** When the window ended. */
  timestamp: string;
  /** What the CPU usage is an average of: `15.2s`. */
  window: string;
}

export interface NodeMetrics extends KubeObject, Measured {
  usage: ResourceUsage;
}

export interface PodMetrics extends KubeObject, Measured {
  containers: readonly { readonly name: string; readonly usage: ResourceUsage }[];
}

/** As much of a kind as is needed to read it: discovery, selectors, tables. */
export type ReadKind<T extends KubeObject> = Pick<
  KindDefinition<T>,
  | 'group'
  | 'version'
  | 'kind'
  | 'listKind'
  | 'plural'
  | 'singular'
  | 'shortNames'
  | 'categories'
  | 'namespaced'
  | 'verbs'
  | 'subresources'
  | 'columns'
  | 'row'
  | 'selectableFields'
>;

const common = {
  group: 'metrics.k8s.io',
  version: 'v1beta1',
  shortNames: [],
  categories: [],
  verbs: ['get', 'list'],
  subresources: [],
} as const;

const columns = [
  { name: 'Name', type: 'string', format: 'name', description: 'Name of what is measured.', priority: 0 },
  { name: 'cpu', type: 'string', format: 'quantity', description: 'CPUs used on average.', priority: 0 },
  { name: 'memory', type: 'string', format: 'quantity', description: 'Memory in use.', priority: 0 },
  { name: 'Window', type: 'string', format: 'duration', description: 'What it is an average of.', priority: 0 },
] as const;

export const nodeMetricsKind: ReadKind<NodeMetrics> = {
  ...common,
  kind: 'NodeMetrics',
  listKind: 'NodeMetricsList',
  plural: 'nodes',
  singular: '',
  namespaced: false,
  columns,
  row: ({ metadata, usage, window }) => [metadata.name, usage.cpu, usage.memory, window],
  selectableFields: ({ metadata }) => ({ 'metadata.name': metadata.name }),
};

export const podMetricsKind: ReadKind<PodMetrics> = {
  ...common,
  kind: 'PodMetrics',
  listKind: 'PodMetricsList',
  plural: 'pods',
  singular: '',
  namespaced: true,
  columns,
  row: ({ metadata, containers, window }) => [
    metadata.name,
    total(containers.map(({ usage }) => usage.cpu)),
    total(containers.map(({ usage }) => usage.memory)),
    window,
  ],
  selectableFields: ({ metadata }) => ({
    'metadata.name': metadata.name,
    'metadata.namespace': metadata.namespace ?? '',
  }),
};

export const metricsKinds = [nodeMetricsKind, podMetricsKind] as const;

function total(quantities: readonly string[]): string {
  return formatQuantity(
    quantities.map(parseQuantity).reduce((sum, next) => addQuantity(sum, next), parseQuantity('0')),
  );
}
