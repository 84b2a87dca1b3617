import { prepareEphemeralContainersUpdate, validateEphemeralContainersUpdate } from './ephemeral-containers.ts';
import type { KindDefinition } from './kind.ts';
import { type Pod, PodSchema } from './pod.ts';
import { applyPodDefaults } from './pod-defaults.ts';
import { preparePodForCreate, preparePodForStatusUpdate, preparePodForUpdate } from './pod-prepare.ts';
import { preparePodResize, validatePodResize } from './pod-resize.ts';
import { type PodSupport, validatePodSupport } from './pod-support.ts';
import { podColumns, podRow } from './pod-table.ts';
import { validatePodStatusUpdate, validatePodUpdate } from './pod-update.ts';
import { type PodValidationOptions, validatePodCreate } from './pod-validation.ts';

export interface PodKindOptions extends PodValidationOptions, PodSupport {}

/** The kind Pod, with what this daemon allows and its host can do. */
export function createPodKind(options: PodKindOptions): KindDefinition<Pod> {
  return {
    group: '',
    version: 'v1',
    kind: 'Pod',
    listKind: 'PodList',
    plural: 'pods',
    singular: 'pod',
    shortNames: ['po'],
    categories: ['all'],
    namespaced: true,
    schema: PodSchema,
    verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
    subresources: [
      { name: 'attach', kind: 'PodAttachOptions', verbs: ['create', 'get'] },
      { name: 'ephemeralcontainers', kind: 'Pod', verbs: ['get', 'patch', 'update'] },
      { name: 'eviction', group: 'policy', version: 'v1', kind: 'Eviction', verbs: ['create'] },
      { name: 'exec', kind: 'PodExecOptions', verbs: ['create', 'get'] },
      { name: 'log', kind: 'Pod', verbs: ['get'] },
      { name: 'portforward', kind: 'PodPortForwardOptions', verbs: ['create', 'get'] },
      { name: 'resize', kind: 'Pod', verbs: ['get', 'patch', 'update'] },
      { name: 'status', kind: 'Pod', verbs: ['get', 'patch', 'update'] },
    ],
    subresourceRules: {
      resize: {
        prepareForUpdate: preparePodResize,
        validateUpdate: (next, current) => {
          const errors = validatePodResize(next, current, options);
          return errors.length > 0 ? errors : validatePodSupport(next, options);
        },
      },
      ephemeralcontainers: {
        prepareForUpdate: prepareEphemeralContainersUpdate,
        validateUpdate: (next, current) => {
          const errors = validateEphemeralContainersUpdate(next, current, options);
          return errors.length > 0 ? errors : validatePodSupport(next, options);
        },
      },
    },
    prepareForCreate: preparePodForCreate,
    prepareForUpdate: preparePodForUpdate,
    prepareForStatusUpdate: preparePodForStatusUpdate,
    applyDefaults: applyPodDefaults,
    // A pod that Kubernetes refuses gets Kubernetes' causes; one that it would take, ours.
    validateCreate: (pod) => {
      const errors = validatePodCreate(pod, options);
      return errors.length > 0 ? errors : validatePodSupport(pod, options);
    },
    validateUpdate: (next, current) => {
      const errors = validatePodUpdate(next, current, options);
      return errors.length > 0 ? errors : validatePodSupport(next, options);
    },
    validateStatusUpdate: validatePodStatusUpdate,
    columns: podColumns,
    row: podRow,
    selectableFields: ({ metadata, spec, status }) => ({
      'metadata.name': metadata.name,
      'metadata.namespace': metadata.namespace,
      'spec.nodeName': spec.nodeName ?? '',
      'spec.restartPolicy': spec.restartPolicy ?? '',
      'spec.schedulerName': spec.schedulerName ?? '',
      'spec.serviceAccountName': spec.serviceAccountName ?? '',
      'spec.hostNetwork': String(spec.hostNetwork ?? false),
      'status.phase': status?.phase ?? '',
      'status.podIP': status?.podIPs?.[0]?.ip ?? '',
      'status.nominatedNodeName': status?.nominatedNodeName ?? '',
    }),
  };
}
