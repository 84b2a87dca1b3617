import {
  duplicate,
  type ErrorSink,
  forbidden,
  invalid,
  notFound,
  notSupported,
  required,
  tooMany,
} from '../field-error.ts';
import { checkDnsLabel, checkPortName, checkPortNumber } from '../formats.ts';
import { addProblems } from '../meta-validation.ts';
import type { Container, ContainerPort, ContainerResizePolicy, EphemeralContainer, PodSpec, Volume } from '../pod.ts';
import { validateChoice } from './choice.ts';
import { validateEnv, validateEnvFrom } from './env.ts';
import { validateVolumeDevices, validateVolumeMounts } from './mounts.ts';
import { validateProbesAndHooks } from './probes.ts';
import { validateContainerResources } from './resources.ts';
import { validateSecurityContext } from './security.ts';

/** The containers of a pod: application, init, ephemeral. */

/** What a container is checked against. */
export interface ContainerContext {
  spec: PodSpec;
  /** The pod's volumes that are valid themselves. */
  volumes: ReadonlyMap<string, Volume>;
  podClaims: ReadonlySet<string>;
  allowPrivileged: boolean;
}

const maxRestartRules = 20;
const maxExitCodes = 255;
const containerRestartPolicies = ['Always', 'Never', 'OnFailure'];
const policyForRules = 'must specify restartPolicy when restart rules are used';

/** Fields that a debugging container may not have: nothing of the pod should depend on it. */
const notForEphemeral = [
  'ports',
  'resources',
  'resizePolicy',
  'restartPolicy',
  'restartPolicyRules',
  'livenessProbe',
  'readinessProbe',
  'startupProbe',
  'lifecycle',
] as const;

export function validateContainers(context: ContainerContext, path: string, errors: ErrorSink): void {
  const { containers, terminationGracePeriodSeconds } = context.spec;
  if (containers.length === 0) return void errors.push(required(path));
  const names = new Set<string>();
  for (const [index, container] of containers.entries()) {
    const at = `${path}[${index}]`;
    validateContainer(container, context, at, errors);
    if (names.has(container.name)) errors.push(duplicate(`${at}.name`, container.name));
    names.add(container.name);
    validateProbesAndHooks(container, terminationGracePeriodSeconds, at, errors);
    validateRestartPolicy(container, at, errors);
  }
  validateHostPorts(containers, path, errors);
}

export function validateInitContainers(context: ContainerContext, path: string, errors: ErrorSink): void {
  const { containers, initContainers = [], terminationGracePeriodSeconds } = context.spec;
  const names = new Set(containers.map((container) => container.name));
  for (const [index, container] of initContainers.entries()) {
    const at = `${path}[${index}]`;
    validateContainer(container, context, at, errors);
    if (container.restartPolicy !== undefined) validateRestartPolicy(container, at, errors);
    else if ((container.restartPolicyRules ?? []).length > 0) {
      errors.push(required(`${at}.restartPolicy`, policyForRules));
    }
    if (names.has(container.name)) errors.push(duplicate(`${at}.name`, container.name));
    else if (container.name !== '') names.add(container.name);
    // Init containers run one by one: their host ports can only be in their own way.
    validateHostPorts([container], path, errors);
    if (container.restartPolicy === 'Always') {
      validateProbesAndHooks(container, terminationGracePeriodSeconds, at, errors);
      continue;
    }
    for (const field of ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const) {
      if (container[field] !== undefined) {
        errors.push(forbidden(`${at}.${field}`, 'may not be set for init containers without restartPolicy=Always'));
      }
    }
  }
}

/**
 * A container that runs to its end is never resized. Only asked of new pods: Kubernetes took the policy before 1.36,
 * and it cannot change later.
 */
export function validateNewInitContainers(spec: PodSpec, path: string, errors: ErrorSink): void {
  for (const [index, { restartPolicy, resizePolicy = [] }] of (spec.initContainers ?? []).entries()) {
    if (restartPolicy === 'Always') continue;
    for (const [policyIndex, policy] of resizePolicy.entries()) {
      if (policy.restartPolicy !== 'RestartContainer') continue;
      const at = `${path}[${index}].resizePolicy[${policyIndex}].restartPolicy`;
      const detail = "must not be set to 'RestartContainer' for non-sidecar initContainers";
      errors.push(invalid(at, policy.restartPolicy, detail));
    }
  }
}

export function validateEphemeralContainers(context: ContainerContext, path: string, errors: ErrorSink): void {
  const { containers, initContainers = [], ephemeralContainers = [] } = context.spec;
  const lasting = new Set([...containers, ...initContainers].map((container) => container.name));
  const names = new Set(lasting);
  for (const [index, container] of ephemeralContainers.entries()) {
    const at = `${path}[${index}]`;
    validateContainer(container, context, at, errors);
    validateImageSpace(container, at, errors);
    if (names.has(container.name)) errors.push(duplicate(`${at}.name`, container.name));
    names.add(container.name);
    const target = container.targetContainerName ?? '';
    if (target !== '' && !lasting.has(target)) errors.push(notFound(`${at}.targetContainerName`, target));
    validateEphemeralFields(container, at, errors);
  }
}

/** Spaces around an image name; allowed in templates, where the name may be filled in later. */
export function validateImageSpace(container: Container, path: string, errors: ErrorSink): void {
  const image = container.image ?? '';
  if (image !== image.trim()) {
    errors.push(invalid(`${path}.image`, image, 'must not have leading or trailing whitespace'));
  }
}

function validateContainer(container: Container, context: ContainerContext, path: string, errors: ErrorSink): void {
  if (container.name === '') errors.push(required(`${path}.name`));
  else addProblems(errors, `${path}.name`, container.name, checkDnsLabel(container.name));
  if (!container.image) errors.push(required(`${path}.image`));
  const messagePolicies = ['File', 'FallbackToLogsOnError'];
  validateChoice(container.terminationMessagePolicy, messagePolicies, `${path}.terminationMessagePolicy`, errors);
  validatePorts(container.ports ?? [], `${path}.ports`, errors);
  validateEnv(container.env ?? [], `${path}.env`, errors);
  validateEnvFrom(container.envFrom ?? [], `${path}.envFrom`, errors);
  validateVolumeMounts(container, context.volumes, `${path}.volumeMounts`, errors);
  validateVolumeDevices(container, context.volumes, `${path}.volumeDevices`, errors);
  validateChoice(container.imagePullPolicy, ['Always', 'IfNotPresent', 'Never'], `${path}.imagePullPolicy`, errors);
  validateContainerResources(container.resources, context.podClaims, `${path}.resources`, errors);
  validateResizePolicy(container.resizePolicy ?? [], context.spec.restartPolicy, `${path}.resizePolicy`, errors);
  validateSecurityContext(container.securityContext, context, `${path}.securityContext`, errors);
}

function validatePorts(ports: readonly ContainerPort[], path: string, errors: ErrorSink): void {
  const names = new Set<string>();
  for (const [index, port] of ports.entries()) {
    const at = `${path}[${index}]`;
    if (port.name) {
      const problems = checkPortName(port.name);
      addProblems(errors, `${at}.name`, port.name, problems);
      if (problems.length === 0 && names.has(port.name)) errors.push(duplicate(`${at}.name`, port.name));
      names.add(port.name);
    }
    if (port.containerPort === 0) errors.push(required(`${at}.containerPort`));
    else addProblems(errors, `${at}.containerPort`, port.containerPort, checkPortNumber(port.containerPort));
    if (port.hostPort) addProblems(errors, `${at}.hostPort`, port.hostPort, checkPortNumber(port.hostPort));
    validateChoice(port.protocol, ['SCTP', 'TCP', 'UDP'], `${at}.protocol`, errors);
  }
}

function validateHostPorts(containers: readonly Container[], path: string, errors: ErrorSink): void {
  const taken = new Set<string>();
  for (const [index, container] of containers.entries()) {
    for (const [portIndex, port] of (container.ports ?? []).entries()) {
      if (!port.hostPort) continue;
      const key = `${port.protocol}/${port.hostIP ?? ''}/${port.hostPort}`;
      if (taken.has(key)) errors.push(duplicate(`${path}[${index}].ports[${portIndex}].hostPort`, key));
      taken.add(key);
    }
  }
}

function validateResizePolicy(
  policies: readonly ContainerResizePolicy[],
  podRestartPolicy: string | undefined,
  path: string,
  errors: ErrorSink,
): void {
  const seen = new Set<string>();
  for (const [index, policy] of policies.entries()) {
    if (seen.has(policy.resourceName)) errors.push(duplicate(`${path}[${index}]`, policy.resourceName));
    seen.add(policy.resourceName);
    validateChoice(policy.resourceName, ['cpu', 'memory'], path, errors);
    validateChoice(policy.restartPolicy, ['NotRequired', 'RestartContainer'], path, errors);
    if (podRestartPolicy === 'Never' && policy.restartPolicy !== 'NotRequired') {
      errors.push(invalid(path, policy.restartPolicy, "must be 'NotRequired' when pod `restartPolicy` is 'Never'"));
    }
  }
}

/** The container's own restart policy, and what it does at which exit codes. */
function validateRestartPolicy(container: Container, path: string, errors: ErrorSink): void {
  const { restartPolicy, restartPolicyRules = [] } = container;
  if (restartPolicy === undefined) {
    if (restartPolicyRules.length > 0) errors.push(required(`${path}.restartPolicy`, policyForRules));
  } else if (!containerRestartPolicies.includes(restartPolicy)) {
    errors.push(notSupported(`${path}.restartPolicy`, restartPolicy, containerRestartPolicies));
  }
  const rulesPath = `${path}.restartPolicyRules`;
  if (restartPolicyRules.length > maxRestartRules) {
    errors.push(tooMany(rulesPath, restartPolicyRules.length, maxRestartRules));
  }
  for (const [index, { action = '', exitCodes }] of restartPolicyRules.entries()) {
    const at = `${rulesPath}[${index}]`;
    const actions = ['Restart', 'RestartAllContainers'];
    if (!actions.includes(action)) errors.push(notSupported(`${at}.action`, action, actions));
    if (!exitCodes) {
      errors.push(required(`${at}.exitCodes`, 'must be specified'));
      continue;
    }
    const { operator = '', values = [] } = exitCodes;
    if (!['In', 'NotIn'].includes(operator)) {
      errors.push(notSupported(`${at}.exitCodes.operator`, operator, ['In', 'NotIn']));
    }
    if (values.length > maxExitCodes) {
      errors.push(tooMany(`${at}.exitCodes.values`, values.length, maxExitCodes));
    }
  }
}

function validateEphemeralFields(container: EphemeralContainer, path: string, errors: ErrorSink): void {
  for (const field of notForEphemeral) {
    const value: unknown = container[field];
    const isSet = field === 'resources' ? Object.keys(container.resources ?? {}).length > 0 : value !== undefined;
    if (isSet) errors.push(forbidden(`${path}.${field}`, 'cannot be set for an Ephemeral Container'));
  }
  for (const [index, mount] of (container.volumeMounts ?? []).entries()) {
    for (const field of ['subPath', 'subPathExpr'] as const) {
      if (mount[field]) {
        const at = `${path}.volumeMounts[${index}].${field}`;
        errors.push(forbidden(at, 'cannot be set for an Ephemeral Container'));
      }
    }
  }
}
