import { ageText } from './duration-text.ts';
import { type FieldError, FieldErrors, forbidden, notSupported, required } from './field-error.ts';
import { checkDnsSubdomain } from './formats.ts';
import type { KindDefinition } from './kind.ts';
import { validateObjectMeta, validateObjectMetaUpdate } from './meta-validation.ts';
import {
  type PriorityClass,
  PriorityClassSchema,
  preemptionPolicies,
  systemPriorityClasses,
} from './priority-class.ts';

/** Of classes that users define: above it are those of the system. */
const HIGHEST_USER_PRIORITY = 1_000_000_000;

/** The kind PriorityClass of scheduling.k8s.io/v1. */
export const priorityClassKind: KindDefinition<PriorityClass> = {
  group: 'scheduling.k8s.io',
  version: 'v1',
  kind: 'PriorityClass',
  listKind: 'PriorityClassList',
  plural: 'priorityclasses',
  singular: 'priorityclass',
  shortNames: ['pc'],
  categories: [],
  namespaced: false,
  schema: PriorityClassSchema,
  verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
  subresources: [],
  prepareForCreate: ({ metadata }) => {
    metadata.generation = 1;
  },
  prepareForUpdate: () => {},
  prepareForStatusUpdate: () => {},
  applyDefaults: (priorityClass) => {
    priorityClass.preemptionPolicy ??= 'PreemptLowerPriority';
  },
  validateCreate,
  validateUpdate: (next, current) => {
    const errors = new FieldErrors();
    for (const error of validateObjectMetaUpdate(next.metadata, current.metadata)) errors.push(error);
    for (const field of ['value', 'preemptionPolicy'] as const) {
      if (next[field] !== current[field]) errors.push(forbidden(field, 'may not be changed in an update.'));
    }
    return errors.list;
  },
  validateStatusUpdate: () => [],
  columns: [
    { name: 'Name', type: 'string', format: 'name', description: 'Name of the priority class.', priority: 0 },
    { name: 'Value', type: 'integer', format: '', description: 'The priority of its pods.', priority: 0 },
    { name: 'Global-Default', type: 'boolean', format: '', description: 'Of pods that name none.', priority: 0 },
    { name: 'Age', type: 'string', format: '', description: 'Time since it was created.', priority: 0 },
    { name: 'PreemptionPolicy', type: 'string', format: '', description: 'Of its pods.', priority: 0 },
  ],
  row: ({ metadata, value, globalDefault = false, preemptionPolicy = '' }, now) => [
    metadata.name,
    value,
    globalDefault,
    ageText(metadata.creationTimestamp, now),
    preemptionPolicy,
  ],
  selectableFields: ({ metadata }) => ({ 'metadata.name': metadata.name }),
};

/** ValidatePriorityClass in pkg/apis/scheduling/validation. */
function validateCreate({ metadata, value, globalDefault, preemptionPolicy }: PriorityClass): FieldError[] {
  const errors = new FieldErrors();
  for (const error of validateObjectMeta(metadata, { namespaced: false, checkName: checkDnsSubdomain })) {
    errors.push(error);
  }
  const { name = '' } = metadata as Partial<PriorityClass['metadata']>;
  const system = Object.hasOwn(systemPriorityClasses, name) ? systemPriorityClasses[name] : undefined;
  if (name.startsWith('system-')) {
    const reserved = "priority class names with 'system-' prefix are reserved for system use only. error:";
    const why = system
      ? system.value === value && !globalDefault
        ? undefined
        : `value of ${name} PriorityClass must be ${system.value}`
      : `${name} is not a known system priority class`;
    if (why !== undefined) errors.push(forbidden('metadata.name', `${reserved} ${why}`));
  } else if (value > HIGHEST_USER_PRIORITY) {
    errors.push(forbidden('value', `maximum allowed value of a user defined priority is ${HIGHEST_USER_PRIORITY}`));
  }
  if (preemptionPolicy === undefined) errors.push(required('preemptionPolicy'));
  else if (!preemptionPolicies.includes(preemptionPolicy)) {
    errors.push(notSupported('preemptionPolicy', preemptionPolicy, preemptionPolicies));
  }
  return errors.list;
}
