import {
  duplicate,
  type ErrorSink,
  type FieldError,
  FieldErrors,
  forbidden,
  invalid,
  notSupported,
  required,
} from './field-error.ts';
import {
  checkDns1035Label,
  checkDnsLabel,
  checkIp,
  checkPortName,
  checkPortNumber,
  checkQualifiedName,
} from './formats.ts';
import { addProblems, validateLabels, validateObjectMeta, validateObjectMetaUpdate } from './meta-validation.ts';
import {
  headless,
  ipFamilies,
  ipFamilyPolicies,
  type Service,
  type ServicePort,
  type ServiceSpec,
  serviceProtocols,
  serviceTypes,
  sessionAffinities,
  trafficPolicies,
} from './service.ts';

/** Rules of Services: ValidateService of pkg/apis/core/validation, and what this daemon does not do. */

const later = 'not supported by mini-kubelet yet';
const maxAffinitySeconds = 86_400;

/** Why a type of service that Kubernetes knows is refused. */
const unsupportedTypes: Readonly<Record<string, string>> = {
  ExternalName: 'there is no cluster DNS that would answer for it',
  LoadBalancer: 'there is nothing that makes load balancers; a pod can have a hostPort',
  NodePort: 'nothing forwards ports of the node; a pod can have a hostPort',
};

const trafficDistributions = ['PreferClose', 'PreferSameNode', 'PreferSameZone'];

export function validateServiceCreate(service: Service): FieldError[] {
  const errors = new FieldErrors();
  const rules = { namespaced: true, checkName: checkDns1035Label };
  for (const error of validateObjectMeta(service.metadata, rules)) errors.push(error);
  validateSpec(service.spec, errors);
  // A service that Kubernetes refuses gets Kubernetes' causes; one that it would take, ours.
  if (errors.list.length === 0) validateSupport(service.spec, errors);
  return errors.list;
}

export function validateServiceUpdate(next: Service, current: Service): FieldError[] {
  const errors = new FieldErrors();
  for (const error of validateObjectMetaUpdate(next.metadata, current.metadata)) errors.push(error);
  if (next.spec.clusterIP !== current.spec.clusterIP) {
    errors.push(invalid('spec.clusterIPs[0]', next.spec.clusterIPs ?? [], 'may not change once set'));
  }
  if ((next.spec.ipFamilies?.[0] ?? '') !== (current.spec.ipFamilies?.[0] ?? '')) {
    errors.push(invalid('spec.ipFamilies[0]', next.spec.ipFamilies ?? [], 'may not change once set'));
  }
  return [...errors.list, ...validateServiceCreate(next)];
}

function validateSpec(spec: ServiceSpec, errors: ErrorSink): void {
  const { type = '', ports = [], sessionAffinity = '' } = spec;
  if (ports.length === 0 && spec.clusterIP !== headless && type !== 'ExternalName') errors.push(required('spec.ports'));
  validatePorts(spec, errors);
  validateLabels(spec.selector, 'spec.selector', errors);
  if (sessionAffinity === '') errors.push(required('spec.sessionAffinity'));
  else addUnlessOneOf('spec.sessionAffinity', sessionAffinity, sessionAffinities, errors);
  validateAffinityConfig(spec, errors);
  validateClusterIPs(spec, errors);
  validateFamilies(spec, errors);
  if (type === '') errors.push(required('spec.type'));
  else addUnlessOneOf('spec.type', type, serviceTypes, errors);
  if (type === 'ClusterIP') validateOfClusterIP(spec, errors);
  const { internalTrafficPolicy, trafficDistribution } = spec;
  if (internalTrafficPolicy !== undefined) {
    addUnlessOneOf('spec.internalTrafficPolicy', internalTrafficPolicy, trafficPolicies, errors);
  } else if (type !== 'ExternalName') errors.push(required('spec.internalTrafficPolicy'));
  if (trafficDistribution !== undefined) {
    addUnlessOneOf('spec.trafficDistribution', trafficDistribution, trafficDistributions, errors);
  }
}

function validatePorts({ ports = [] }: ServiceSpec, errors: ErrorSink): void {
  const names = new Set<string>();
  const numbers = new Set<string>();
  for (const [index, port] of ports.entries()) {
    const path = `spec.ports[${index}]`;
    const { name = '', protocol = '' } = port;
    if (name === '') {
      if (ports.length > 1) errors.push(required(`${path}.name`));
    } else {
      addProblems(errors, `${path}.name`, name, checkDnsLabel(name));
      if (names.has(name)) errors.push(duplicate(`${path}.name`, name));
      names.add(name);
    }
    addProblems(errors, `${path}.port`, port.port, checkPortNumber(port.port));
    if (protocol === '') errors.push(required(`${path}.protocol`));
    else addUnlessOneOf(`${path}.protocol`, protocol, serviceProtocols, errors);
    validateTargetPort(port, path, errors);
    if (port.appProtocol !== undefined) {
      addProblems(errors, `${path}.appProtocol`, port.appProtocol, checkQualifiedName(port.appProtocol));
    }
    const key = `${protocol}/${port.port}`;
    if (numbers.has(key)) errors.push(duplicate(path, { protocol, port: port.port }));
    numbers.add(key);
  }
}

function validateTargetPort({ targetPort = 0 }: ServicePort, path: string, errors: ErrorSink): void {
  const problems = typeof targetPort === 'number' ? checkPortNumber(targetPort) : checkPortName(targetPort);
  addProblems(errors, `${path}.targetPort`, targetPort, problems);
}

function validateAffinityConfig({ sessionAffinity, sessionAffinityConfig: config }: ServiceSpec, errors: ErrorSink) {
  const path = 'spec.sessionAffinityConfig';
  if (sessionAffinity === 'None') {
    if (config) errors.push(forbidden(path, 'must not be set when session affinity is None'));
    return;
  }
  if (sessionAffinity !== 'ClientIP') return;
  const timeout = config?.clientIP?.timeoutSeconds;
  if (timeout === undefined) errors.push(required(`${path}.clientIP.timeoutSeconds`));
  else if (timeout <= 0 || timeout > maxAffinitySeconds) {
    const detail = `must be greater than 0 and less than ${maxAffinitySeconds}`;
    errors.push(invalid(`${path}.clientIP.timeoutSeconds`, timeout, detail));
  }
}

function validateClusterIPs({ clusterIP = '', clusterIPs = [] }: ServiceSpec, errors: ErrorSink): void {
  const path = 'spec.clusterIPs';
  if (clusterIP === '') {
    if (clusterIPs.length > 0)
      errors.push(invalid(path, clusterIPs, 'must be empty when `clusterIP` is not specified'));
    return;
  }
  if (clusterIPs[0] !== clusterIP) {
    errors.push(invalid(path, clusterIPs, 'first value must match `clusterIP`'));
    return;
  }
  if (clusterIPs.includes(headless)) {
    if (clusterIPs.length > 1) errors.push(invalid(path, clusterIPs, 'must be an IP address or None, not both'));
    return;
  }
  if (clusterIPs.length > 2) errors.push(invalid(path, clusterIPs, 'may only hold up to 2 values'));
  for (const [index, ip] of clusterIPs.entries()) addProblems(errors, `${path}[${index}]`, ip, checkIp(ip));
}

function validateFamilies({ ipFamilies: families = [], ipFamilyPolicy }: ServiceSpec, errors: ErrorSink): void {
  const seen = new Set<string>();
  for (const [index, family] of families.entries()) {
    const path = `spec.ipFamilies[${index}]`;
    addUnlessOneOf(path, family, ipFamilies, errors);
    if (seen.has(family)) errors.push(duplicate(path, family));
    seen.add(family);
  }
  if (ipFamilyPolicy !== undefined) {
    addUnlessOneOf('spec.ipFamilyPolicy', ipFamilyPolicy, ipFamilyPolicies, errors);
    if (ipFamilyPolicy === 'SingleStack' && families.length > 1) {
      errors.push(
        invalid(
          'spec.ipFamilyPolicy',
          ipFamilyPolicy,
          'must be RequireDualStack or PreferDualStack when multiple IP families are specified',
        ),
      );
    }
  }
}

/** Fields of other types of service. */
function validateOfClusterIP(spec: ServiceSpec, errors: ErrorSink): void {
  for (const [index, { nodePort }] of (spec.ports ?? []).entries()) {
    if (nodePort) errors.push(forbidden(`spec.ports[${index}].nodePort`, "may not be used when `type` is 'ClusterIP'"));
  }
  if (spec.externalTrafficPolicy) {
    const detail = 'may only be set for externally-accessible services';
    errors.push(invalid('spec.externalTrafficPolicy', spec.externalTrafficPolicy, detail));
  }
  for (const field of [
    'loadBalancerClass',
    'loadBalancerSourceRanges',
    'allocateLoadBalancerNodePorts',
    'healthCheckNodePort',
  ] as const) {
    if (spec[field] === undefined) continue;
    errors.push(forbidden(`spec.${field}`, "may only be used when `type` is 'LoadBalancer'"));
  }
}

function validateSupport(spec: ServiceSpec, errors: ErrorSink): void {
  const why = unsupportedTypes[spec.type ?? ''];
  if (why !== undefined) errors.push(forbidden('spec.type', `${later}: ${why}`));
  if (spec.externalIPs) errors.push(forbidden('spec.externalIPs', `${later}: nothing forwards them`));
  if (spec.ipFamilyPolicy === 'RequireDualStack' || (spec.ipFamilies?.length ?? 0) > 1) {
    errors.push(forbidden('spec.ipFamilyPolicy', `${later}: services have addresses of one family`));
  } else if ((spec.clusterIPs?.length ?? 0) > 1) {
    errors.push(forbidden('spec.clusterIPs', `${later}: services have addresses of one family`));
  }
}

function addUnlessOneOf(path: string, value: string, supported: readonly string[], errors: ErrorSink): void {
  if (!supported.includes(value)) errors.push(notSupported(path, value, supported));
}
