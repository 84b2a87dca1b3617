import { type ErrorSink, forbidden, invalid, notSupported, required } from '../field-error.ts';
import { checkHttpHeaderName, checkPortName, checkPortNumber } from '../formats.ts';
import { addProblems, negativeMessage } from '../meta-validation.ts';
import type { Container, HTTPGetAction, LifecycleHandler, Probe } from '../pod.ts';

/** Probes and hooks. */

type Handler = Pick<Probe, 'exec' | 'httpGet' | 'tcpSocket' | 'grpc'> & Pick<LifecycleHandler, 'sleep'>;

const handlerKinds = ['exec', 'httpGet', 'tcpSocket', 'grpc', 'sleep'] as const;

const nonNegativeFields = [
  'initialDelaySeconds',
  'timeoutSeconds',
  'periodSeconds',
  'successThreshold',
  'failureThreshold',
] as const;

export function validateProbesAndHooks(
  container: Container,
  gracePeriodSeconds: number | undefined,
  path: string,
  errors: ErrorSink,
): void {
  const { lifecycle, livenessProbe, readinessProbe, startupProbe } = container;
  for (const hook of ['postStart', 'preStop'] as const) {
    const handler = lifecycle?.[hook];
    if (handler) validateHandler(handler, gracePeriodSeconds, `${path}.lifecycle.${hook}`, errors);
  }
  if (livenessProbe) {
    validateProbe(livenessProbe, gracePeriodSeconds, `${path}.livenessProbe`, errors);
    requireOneSuccess(livenessProbe, `${path}.livenessProbe`, errors);
  }
  if (readinessProbe) {
    validateProbe(readinessProbe, gracePeriodSeconds, `${path}.readinessProbe`, errors);
    const grace = readinessProbe.terminationGracePeriodSeconds;
    if (grace !== undefined) {
      const at = `${path}.readinessProbe.terminationGracePeriodSeconds`;
      errors.push(invalid(at, grace, 'must not be set for readinessProbes'));
    }
  }
  if (startupProbe) {
    validateProbe(startupProbe, gracePeriodSeconds, `${path}.startupProbe`, errors);
    requireOneSuccess(startupProbe, `${path}.startupProbe`, errors);
  }
}

function requireOneSuccess(probe: Probe, path: string, errors: ErrorSink): void {
  if (probe.successThreshold !== 1) {
    errors.push(invalid(`${path}.successThreshold`, probe.successThreshold, 'must be 1'));
  }
}

function validateProbe(probe: Probe, gracePeriodSeconds: number | undefined, path: string, errors: ErrorSink): void {
  validateHandler(probe, gracePeriodSeconds, path, errors);
  for (const field of nonNegativeFields) {
    const value = probe[field] ?? 0;
    if (value < 0) errors.push(invalid(`${path}.${field}`, value, negativeMessage));
  }
  const grace = probe.terminationGracePeriodSeconds;
  if (grace !== undefined && grace <= 0) {
    errors.push(invalid(`${path}.terminationGracePeriodSeconds`, grace, 'must be greater than 0'));
  }
}

/** Exactly one action; a second one is refused unread. */
function validateHandler(
  handler: Handler,
  gracePeriodSeconds: number | undefined,
  path: string,
  errors: ErrorSink,
): void {
  const given = handlerKinds.filter((kind) => handler[kind] !== undefined);
  for (const other of given.slice(1)) {
    errors.push(forbidden(`${path}.${other}`, 'may not specify more than 1 handler type'));
  }
  const kind = given[0];
  const at = `${path}.${kind}`;
  switch (kind) {
    case undefined:
      errors.push(required(path, 'must specify a handler type'));
      break;
    case 'exec':
      if ((handler.exec?.command ?? []).length === 0) errors.push(required(`${at}.command`));
      break;
    case 'httpGet':
      if (handler.httpGet) validateHttpGet(handler.httpGet, at, errors);
      break;
    case 'tcpSocket':
      validatePort(handler.tcpSocket?.port ?? 0, `${at}.port`, errors);
      break;
    case 'grpc':
      validatePort(handler.grpc?.port ?? 0, `${at}.port`, errors);
      break;
    case 'sleep':
      validateSleep(handler.sleep?.seconds ?? 0, gracePeriodSeconds, at, errors);
      break;
  }
}

function validateHttpGet(action: HTTPGetAction, path: string, errors: ErrorSink): void {
  if (!action.path) errors.push(required(`${path}.path`));
  validatePort(action.port, `${path}.port`, errors);
  if (action.scheme !== 'HTTP' && action.scheme !== 'HTTPS') {
    errors.push(notSupported(`${path}.scheme`, action.scheme ?? '', ['HTTP', 'HTTPS']));
  }
  for (const header of action.httpHeaders ?? []) {
    addProblems(errors, `${path}.httpHeaders`, header.name, checkHttpHeaderName(header.name));
  }
}

function validatePort(port: number | string, path: string, errors: ErrorSink): void {
  addProblems(errors, path, port, typeof port === 'number' ? checkPortNumber(port) : checkPortName(port));
}

function validateSleep(seconds: number, gracePeriodSeconds: number | undefined, path: string, errors: ErrorSink): void {
  if (gracePeriodSeconds !== undefined && (seconds < 0 || seconds > gracePeriodSeconds)) {
    const detail = `must be non-negative and less than terminationGracePeriodSeconds (${gracePeriodSeconds})`;
    errors.push(invalid(path, seconds, detail));
  }
}
