import { ageText } from './duration-text.ts';
import { type ErrorSink, type FieldError, FieldErrors, notSupported, required } from './field-error.ts';
import { checkDnsSubdomain, checkLabelValue } from './formats.ts';
import type { Cell, KindDefinition, TableColumn } from './kind.ts';
import { addProblems, validateLabelName, validateObjectMeta, validateObjectMetaUpdate } from './meta-validation.ts';
import { type Node, NodeSchema } from './node.ts';

const rolePrefix = 'node-role.kubernetes.io/';
const oldRoleLabel = 'kubernetes.io/role';
const taintEffects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

const columns: readonly TableColumn[] = [
  { name: 'Name', type: 'string', format: 'name', description: 'Name of the node.', priority: 0 },
  { name: 'Status', type: 'string', format: '', description: 'Whether the node takes pods.', priority: 0 },
  { name: 'Roles', type: 'string', format: '', description: 'Roles by label.', priority: 0 },
  { name: 'Age', type: 'string', format: '', description: 'Time since the node was registered.', priority: 0 },
  { name: 'Version', type: 'string', format: '', description: 'Version of the daemon.', priority: 0 },
  { name: 'Internal-IP', type: 'string', format: '', description: 'Address of the node.', priority: 1 },
  { name: 'External-IP', type: 'string', format: '', description: 'Address from outside.', priority: 1 },
  { name: 'OS-Image', type: 'string', format: '', description: 'Operating system.', priority: 1 },
  { name: 'Kernel-Version', type: 'string', format: '', description: 'Kernel.', priority: 1 },
  { name: 'Container-Runtime', type: 'string', format: '', description: 'Container runtime.', priority: 1 },
];

/** The kind Node. There is one, which the daemon makes itself; clients label, annotate, taint and cordon it. */
export const nodeKind: KindDefinition<Node> = {
  group: '',
  version: 'v1',
  kind: 'Node',
  listKind: 'NodeList',
  plural: 'nodes',
  singular: 'node',
  shortNames: ['no'],
  categories: [],
  namespaced: false,
  schema: NodeSchema,
  verbs: ['get', 'list', 'patch', 'update', 'watch'],
  subresources: [{ name: 'status', kind: 'Node', verbs: ['get', 'patch', 'update'] }],
  prepareForCreate: () => {},
  prepareForUpdate: (next, current) => {
    next.status = structuredClone(current.status);
  },
  prepareForStatusUpdate: (next, current) => {
    next.spec = structuredClone(current.spec);
  },
  applyDefaults: (node) => {
    if (node.status?.capacity) node.status.allocatable ??= { ...node.status.capacity };
  },
  validateCreate: validateNode,
  validateUpdate: (next, current) => [
    ...validateObjectMetaUpdate(next.metadata, current.metadata),
    ...validateNode(next),
  ],
  validateStatusUpdate: (next, current) => validateObjectMetaUpdate(next.metadata, current.metadata),
  columns,
  row,
  selectableFields: ({ metadata, spec }) => ({
    'metadata.name': metadata.name,
    'spec.unschedulable': String(spec?.unschedulable ?? false),
  }),
};

function validateNode(node: Node): FieldError[] {
  const errors = new FieldErrors();
  const rules = { namespaced: false, checkName: checkDnsSubdomain };
  for (const error of validateObjectMeta(node.metadata, rules)) errors.push(error);
  validateTaints(node, errors);
  return errors.list;
}

function validateTaints({ spec }: Node, errors: ErrorSink): void {
  const seen = new Set<string>();
  for (const [index, { key, value = '', effect }] of (spec?.taints ?? []).entries()) {
    const path = `spec.taints[${index}]`;
    validateLabelName(key, `${path}.key`, errors);
    addProblems(errors, `${path}.value`, value, checkLabelValue(value));
    const given: string = effect;
    if (given === '') errors.push(required(`${path}.effect`));
    else if (!taintEffects.includes(given)) errors.push(notSupported(`${path}.effect`, given, taintEffects));
    const pair = `${key}:${given}`;
    if (seen.has(pair)) {
      const detail = 'taints must be unique by key and effect pair';
      errors.push({ type: 'FieldValueDuplicate', field: path, detail, badValue: { key, value, effect } });
    }
    seen.add(pair);
  }
}

function row({ metadata, spec, status = {} }: Node, now: number): Cell[] {
  const ready = status.conditions?.find(({ type }) => type === 'Ready');
  const state = ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady';
  const address = (wanted: string) => status.addresses?.find(({ type }) => type === wanted)?.address ?? '<none>';
  const info = status.nodeInfo;
  return [
    metadata.name,
    spec?.unschedulable ? `${state},SchedulingDisabled` : state,
    roles(metadata.labels ?? {}),
    ageText(metadata.creationTimestamp, now),
    info?.kubeletVersion ?? '',
    address('InternalIP'),
    address('ExternalIP'),
    info?.osImage || '<unknown>',
    info?.kernelVersion || '<unknown>',
    info?.containerRuntimeVersion || '<unknown>',
  ];
}

function roles(labels: Readonly<Record<string, string>>): string {
  const names = new Set<string>();
  for (const [key, value] of Object.entries(labels)) {
    if (key.startsWith(rolePrefix) && key !== rolePrefix) names.add(key.slice(rolePrefix.length));
    else if (key === oldRoleLabel && value !== '') names.add(value);
  }
  return names.size === 0 ? '<none>' : [...names].toSorted().join(',');
}
