import { ageText } from './duration-text.ts';
import { FieldErrors, invalid } from './field-error.ts';
import { checkDnsLabel, checkDnsSubdomain } from './formats.ts';
import type { KindDefinition } from './kind.ts';
import { addProblems, validateLabels, validateObjectMeta, validateObjectMetaUpdate } from './meta-validation.ts';
import { validateOverhead } from './pod-validation/resources.ts';
import { validateTolerations } from './pod-validation/scheduling.ts';
import { type RuntimeClass, RuntimeClassSchema } from './runtime-class.ts';

/** The kind RuntimeClass of node.k8s.io/v1. */
export const runtimeClassKind: KindDefinition<RuntimeClass> = {
  group: 'node.k8s.io',
  version: 'v1',
  kind: 'RuntimeClass',
  listKind: 'RuntimeClassList',
  plural: 'runtimeclasses',
  singular: 'runtimeclass',
  shortNames: [],
  categories: [],
  namespaced: false,
  schema: RuntimeClassSchema,
  verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
  subresources: [],
  prepareForCreate: () => {},
  prepareForUpdate: () => {},
  prepareForStatusUpdate: () => {},
  applyDefaults: () => {},
  validateCreate: (runtimeClass) => {
    const { metadata, handler, overhead, scheduling } = runtimeClass;
    const errors = new FieldErrors();
    for (const error of validateObjectMeta(metadata, { namespaced: false, checkName: checkDnsSubdomain })) {
      errors.push(error);
    }
    addProblems(errors, 'handler', handler, checkDnsLabel(handler));
    if (overhead?.podFixed) validateOverhead(overhead.podFixed, 'overhead', errors);
    validateLabels(scheduling?.nodeSelector, 'scheduling.nodeSelector', errors);
    validateTolerations(scheduling?.tolerations ?? [], 'scheduling.tolerations', errors);
    return errors.list;
  },
  validateUpdate: (next, current) => [
    ...validateObjectMetaUpdate(next.metadata, current.metadata),
    // Pods that run were made with it.
    ...(next.handler === current.handler ? [] : [invalid('handler', next.handler, 'field is immutable')]),
  ],
  validateStatusUpdate: () => [],
  columns: [
    { name: 'Name', type: 'string', format: 'name', description: 'Name of the runtime class.', priority: 0 },
    { name: 'Handler', type: 'string', format: '', description: "The handler's name in the runtime.", priority: 0 },
    { name: 'Age', type: 'string', format: '', description: 'Time since it was created.', priority: 0 },
  ],
  row: ({ metadata, handler }, now) => [metadata.name, handler, ageText(metadata.creationTimestamp, now)],
  selectableFields: ({ metadata }) => ({ 'metadata.name': metadata.name }),
};
