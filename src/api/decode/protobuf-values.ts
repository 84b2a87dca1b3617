import { DecodeError } from './decode-error.ts';

/**
 * Messages that JSON writes as one value: how to get there from their fields. Keyed by the message's full name.
 * Absent fields have their zero value, as in Go.
 */
export type Fields = Readonly<Record<string, unknown>>;

export const scalarMessages: ReadonlyMap<string, (fields: Fields) => unknown> = new Map([
  ['.kubernetes.meta.v1.Time', (fields) => timeText(fields, false)],
  ['.kubernetes.meta.v1.MicroTime', (fields) => timeText(fields, true)],
  ['.kubernetes.meta.v1.Quantity', ({ string = '' }) => string],
  ['.kubernetes.meta.v1.IntOrString', intOrString],
  ['.kubernetes.authentication.v1.ExtraValue', ({ items = [] }) => items],
  ['.kubernetes.authorization.v1.ExtraValue', ({ items = [] }) => items],
  ['.kubernetes.authentication.v1.AttestationValue', ({ items = [] }) => items],
]);

/** Fields whose own fields stand in JSON beside them, as Go's embedded structs do: `Message.field`. */
export const inlinedFields: ReadonlySet<string> = new Set([
  'ConfigMapEnvSource.localObjectReference',
  'ConfigMapKeySelector.localObjectReference',
  'ConfigMapProjection.localObjectReference',
  'ConfigMapVolumeSource.localObjectReference',
  'EphemeralContainer.ephemeralContainerCommon',
  'Probe.handler',
  'SecretEnvSource.localObjectReference',
  'SecretKeySelector.localObjectReference',
  'SecretProjection.localObjectReference',
  'Volume.volumeSource',
]);

/** A message without fields is Go's zero time, which JSON writes as null. */
function timeText({ seconds, nanos = 0 }: Fields, micro: boolean): string | null {
  if (seconds === undefined && nanos === 0) return null;
  const date = new Date(Number(seconds ?? 0) * 1000);
  const isNanos = typeof nanos === 'number' && nanos >= 0 && nanos < 1e9;
  const year = date.getUTCFullYear();
  if (!isNanos || Number.isNaN(year) || year < 0 || year > 9999) throw new DecodeError('the time is out of range');
  const whole = date.toISOString().slice(0, 19);
  if (!micro) return `${whole}Z`;
  return `${whole}.${String(Math.floor(nanos / 1000)).padStart(6, '0')}Z`;
}

function intOrString({ type = 0, intVal = 0, strVal = '' }: Fields): unknown {
  if (type === 0) return intVal;
  if (type === 1) return strVal;
  throw new DecodeError('the value is neither marked as a number nor as text');
}
