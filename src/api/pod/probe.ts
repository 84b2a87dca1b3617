import { about, atomicList, coreObject, int32, int64, intOrString, oneOf, opt, ptr, str } from '../schema.ts';

/** Probes and lifecycle hooks, and the actions both can take. */

export const ExecActionSchema = coreObject('ExecAction', {
  command: opt(atomicList(str(), 'Program and arguments; no shell is involved.')),
});

export const HTTPHeaderSchema = coreObject('HTTPHeader', {
  name: str('Name of the header.'),
  value: str('Its value.'),
});

export const HTTPGetActionSchema = coreObject('HTTPGetAction', {
  path: opt(str('What is asked for.')),
  port: intOrString('Number, or name of a port of the container.'),
  host: opt(str('Default: the IP of the pod.')),
  scheme: opt(oneOf(['HTTP', 'HTTPS'], 'Default: HTTP.')),
  httpHeaders: opt(atomicList(HTTPHeaderSchema, 'Headers of the request.')),
});

export const TCPSocketActionSchema = coreObject('TCPSocketAction', {
  port: intOrString('Number, or name of a port of the container.'),
  host: opt(str('Default: the pod.')),
});

export const GRPCActionSchema = coreObject('GRPCAction', {
  port: int32('The port.'),
  service: ptr(str('Name of the service that is asked for.')),
});

export const ProbeSchema = coreObject('Probe', {
  exec: opt(about(ExecActionSchema, 'Run a command in the container; exit code 0 is success.')),
  httpGet: opt(about(HTTPGetActionSchema, 'HTTP GET; a status from 200 to 399 is success.')),
  tcpSocket: opt(about(TCPSocketActionSchema, 'Open a TCP connection.')),
  grpc: opt(about(GRPCActionSchema, 'Ask the gRPC health service.')),
  initialDelaySeconds: opt(int32('Time from the start of the container to the first probe.')),
  timeoutSeconds: opt(int32('Default: 1.')),
  periodSeconds: opt(int32('Default: 10.')),
  successThreshold: opt(int32('Successes in a row that count as success. Default: 1.')),
  failureThreshold: opt(int32('Failures in a row that count as failure. Default: 3.')),
  terminationGracePeriodSeconds: ptr(int64('Grace period of the pod in its place when this probe fails.')),
});

export const SleepActionSchema = coreObject('SleepAction', {
  seconds: int64('How long.'),
});

export const LifecycleHandlerSchema = coreObject('LifecycleHandler', {
  exec: opt(ExecActionSchema),
  httpGet: opt(HTTPGetActionSchema),
  tcpSocket: opt(TCPSocketActionSchema),
  sleep: opt(SleepActionSchema),
});

export const LifecycleSchema = coreObject('Lifecycle', {
  postStart: opt(about(LifecycleHandlerSchema, 'Done at once after the start of the container; a failure kills it.')),
  preStop: opt(about(LifecycleHandlerSchema, 'Done before the stop signal, within the grace period.')),
  stopSignal: ptr(str("Signal that stops the container, in place of the image's.")),
});
