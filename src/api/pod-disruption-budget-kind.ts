import { ageText } from './duration-text.ts';
import { type ErrorSink, type FieldError, FieldErrors, invalid, notSupported } from './field-error.ts';
import { checkDnsSubdomain } from './formats.ts';
import type { KindDefinition } from './kind.ts';
import {
  negativeMessage,
  validateLabelSelector,
  validateObjectMeta,
  validateObjectMetaUpdate,
} from './meta-validation.ts';
import {
  type PodDisruptionBudget,
  PodDisruptionBudgetSchema,
  unhealthyPodEvictionPolicies,
} from './pod-disruption-budget.ts';

const noDisruptions = { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 };

/** The kind PodDisruptionBudget of policy/v1. */
export const podDisruptionBudgetKind: KindDefinition<PodDisruptionBudget> = {
  group: 'policy',
  version: 'v1',
  kind: 'PodDisruptionBudget',
  listKind: 'PodDisruptionBudgetList',
  plural: 'poddisruptionbudgets',
  singular: 'poddisruptionbudget',
  shortNames: ['pdb'],
  categories: [],
  namespaced: true,
  schema: PodDisruptionBudgetSchema,
  verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
  subresources: [{ name: 'status', kind: 'PodDisruptionBudget', verbs: ['get', 'patch', 'update'] }],
  prepareForCreate: (budget) => {
    budget.metadata.generation = 1;
    budget.status = { ...noDisruptions };
  },
  prepareForUpdate: (next, current) => {
    next.status = structuredClone(current.status) ?? { ...noDisruptions };
  },
  prepareForStatusUpdate: (next, current) => {
    if (current.spec) next.spec = structuredClone(current.spec);
    else delete next.spec;
  },
  applyDefaults: () => {},
  validateCreate,
  validateUpdate: (next, current) => [
    ...validateObjectMetaUpdate(next.metadata, current.metadata),
    ...validateCreate(next),
  ],
  validateStatusUpdate: (next, current) => validateObjectMetaUpdate(next.metadata, current.metadata),
  columns: [
    { name: 'Name', type: 'string', format: 'name', description: 'Name of the budget.', priority: 0 },
    {
      name: 'Min Available',
      type: 'string',
      format: '',
      description: 'How many pods, or which part of them, must stay ready.',
      priority: 0,
    },
    {
      name: 'Max Unavailable',
      type: 'string',
      format: '',
      description: 'How many pods, or which part of them, may be missing.',
      priority: 0,
    },
    {
      name: 'Allowed Disruptions',
      type: 'integer',
      format: '',
      description: 'How many pods may be evicted now.',
      priority: 0,
    },
    { name: 'Age', type: 'string', format: '', description: 'Time since it was created.', priority: 0 },
  ],
  row: ({ metadata, spec, status }, now) => [
    metadata.name,
    String(spec?.minAvailable ?? 'N/A'),
    String(spec?.maxUnavailable ?? 'N/A'),
    status?.disruptionsAllowed ?? 0,
    ageText(metadata.creationTimestamp, now),
  ],
  selectableFields: ({ metadata }) => ({
    'metadata.name': metadata.name,
    'metadata.namespace': metadata.namespace,
  }),
};

/** (pkg/apis/policy/validation.) */
function validateCreate({ metadata, spec = {} }: PodDisruptionBudget): FieldError[] {
  const errors = new FieldErrors();
  for (const error of validateObjectMeta(metadata, { namespaced: true, checkName: checkDnsSubdomain })) {
    errors.push(error);
  }
  const { minAvailable, maxUnavailable, selector, unhealthyPodEvictionPolicy } = spec;
  if (minAvailable !== undefined && maxUnavailable !== undefined) {
    errors.push(invalid('spec', spec, 'minAvailable and maxUnavailable cannot be both set'));
  }
  validateAmount(minAvailable, 'spec.minAvailable', errors);
  validateAmount(maxUnavailable, 'spec.maxUnavailable', errors);
  validateLabelSelector(selector, 'spec.selector', errors);
  const policies: readonly string[] = unhealthyPodEvictionPolicies;
  if (unhealthyPodEvictionPolicy !== undefined && !policies.includes(unhealthyPodEvictionPolicy)) {
    errors.push(notSupported('spec.unhealthyPodEvictionPolicy', unhealthyPodEvictionPolicy, policies));
  }
  return errors.list;
}

function validateAmount(amount: number | string | undefined, path: string, errors: ErrorSink): void {
  if (amount === undefined) return;
  if (typeof amount === 'number') {
    if (amount < 0) errors.push(invalid(path, amount, negativeMessage));
  } else if (!/^\d+%$/.test(amount)) {
    const detail = `a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')`;
    errors.push(invalid(path, amount, detail));
  } else if (Number.parseInt(amount, 10) > 100) errors.push(invalid(path, amount, 'must not be greater than 100%'));
}
