import { didYouMean } from './did-you-mean.ts';
import { entryFormats, textFormats } from './formats.ts';
import type { Problem } from './problem.ts';
import { type SettingSchema, settingsTable } from './settings.ts';

/** Where a key of a map stands, as `file:line`. */
export type WhereIs = (map: object, key: string) => string;

export interface CheckedDocument {
  /** The settings that the document gives and that are right. */
  readonly values: Record<string, unknown>;
  /** Where each of them was given, by its dotted path. */
  readonly origins: ReadonlyMap<string, string>;
  readonly problems: readonly Problem[];
}

/** Kubernetes' own identification of such a file is welcome, so that one file can serve both. */
const kubeletHeader: Readonly<Record<string, string>> = {
  apiVersion: 'kubelet.config.k8s.io/v1beta1',
  kind: 'KubeletConfiguration',
};

/** PURE. Checks one configuration document against the table of settings: unknown names, types, formats. */
export function checkDocument(document: object, whereIs: WhereIs): CheckedDocument {
  const origins = new Map<string, string>();
  const problems: Problem[] = [];

  const walk = (
    map: object,
    known: Readonly<Record<string, SettingSchema>>,
    prefix: string,
  ): Record<string, unknown> => {
    const values: Record<string, unknown> = {};
    for (const [key, value] of Object.entries(map)) {
      const where = whereIs(map, key);
      const name = prefix + key;
      const schema = Object.hasOwn(known, key) ? known[key] : undefined;
      if (prefix === '' && kubeletHeader[key] !== undefined && Object.hasOwn(kubeletHeader, key)) {
        if (value !== kubeletHeader[key])
          problems.push({ where, message: `${key} must be ${kubeletHeader[key]} or be left out` });
      } else if (schema === undefined) {
        problems.push({ where, message: `there is no setting ${name}${didYouMean(key, Object.keys(known))}` });
      } else if (value === null) {
        // As in Kubernetes, null is the same as leaving it out.
      } else if (schema.properties !== undefined) {
        if (isMap(value)) values[key] = walk(value, schema.properties, `${name}.`);
        else problems.push({ where, message: `${name} must be a map` });
      } else {
        const checked = checkValue(name, value, schema, where, whereIs);
        problems.push(...checked.problems);
        if (checked.problems.length === 0) {
          values[key] = checked.value;
          origins.set(name, where);
        }
      }
    }
    return values;
  };
  const values = walk(document, settingsTable, '');
  return { values, origins, problems };
}

/** PURE. Checks one setting's value. The value returned is of the setting's type only when there are no problems. */
export function checkValue(
  name: string,
  value: unknown,
  schema: SettingSchema,
  where: string,
  whereIs: WhereIs = () => where,
): { value: unknown; problems: readonly Problem[] } {
  if (schema.type === 'object') return checkMap(name, value, schema, where, whereIs);
  if (schema.type === 'array') {
    if (!Array.isArray(value)) return refused(where, `${name} must be a list`);
    const problems = value.flatMap((item, i) => problemOf(`${name}[${i}]`, textProblem(item, schema), item, where));
    return { value, problems };
  }
  return { value, problems: problemOf(name, scalarProblem(value, schema), value, where) };
}

function checkMap(name: string, given: unknown, schema: SettingSchema, where: string, whereIs: WhereIs) {
  const value = schema.format === 'priority-period' && Array.isArray(given) ? periodsByPriority(given) : given;
  if (value === undefined) return refused(where, `${name} must be a list of priority and shutdownGracePeriodSeconds`);
  if (!isMap(value)) return refused(where, `${name} must be a map`);
  const format = entryFormats[schema.format ?? ''];
  const problems: Problem[] = [];
  const entries: [string, string][] = [];
  for (const [key, item] of Object.entries(value)) {
    // `cpu: 1` is how everybody writes a quantity.
    const text = typeof item === 'number' && schema.format !== 'label' ? String(item) : item;
    const valueProblem = typeof text === 'string' ? format?.value(text) : 'a text (in quotes)';
    problems.push(
      ...problemOf(`a key of ${name}`, format?.key(key), key, whereIs(value, key)),
      ...problemOf(`${name}[${key}]`, valueProblem, item, whereIs(value, key)),
    );
    if (typeof text === 'string') entries.push([key, text]);
  }
  return { value: Object.fromEntries(entries), problems };
}

/** The form that a kubelet's configuration has for it; undefined for another one, or when a priority is there twice. */
function periodsByPriority(list: readonly unknown[]): Record<string, string> | undefined {
  const entries = new Map<string, string>();
  for (const item of list) {
    if (!isMap(item)) return undefined;
    const { priority, shutdownGracePeriodSeconds: seconds, ...others } = item;
    const isKnown = Number.isInteger(priority) && Number.isInteger(seconds) && Object.keys(others).length === 0;
    if (!isKnown || entries.has(String(priority))) return undefined;
    entries.set(String(priority), `${seconds}s`);
  }
  return Object.fromEntries(entries);
}

function scalarProblem(value: unknown, schema: SettingSchema): string | undefined {
  switch (schema.type) {
    case 'boolean':
      return typeof value === 'boolean' ? undefined : 'true or false';
    case 'integer': {
      const { minimum = Number.MIN_SAFE_INTEGER, maximum = Number.MAX_SAFE_INTEGER } = schema;
      const fits = typeof value === 'number' && Number.isInteger(value) && value >= minimum && value <= maximum;
      return fits ? undefined : `a whole number from ${minimum} to ${maximum}`;
    }
    case 'number': {
      const { exclusiveMinimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY } = schema;
      const fits = typeof value === 'number' && value > exclusiveMinimum && value <= maximum;
      return fits ? undefined : `a number above ${exclusiveMinimum} and at most ${maximum}`;
    }
    default:
      return textProblem(value, schema);
  }
}

function textProblem(value: unknown, schema: SettingSchema): string | undefined {
  if (typeof value !== 'string') return schema.format === 'duration' ? 'a duration like "1m30s"' : 'a text';
  if (schema.enum !== undefined) return schema.enum.includes(value) ? undefined : `one of ${schema.enum.join(', ')}`;
  return textFormats[schema.format ?? '']?.(value, schema);
}

function problemOf(name: string, expected: string | undefined, value: unknown, where: string): Problem[] {
  if (expected === undefined) return [];
  return [{ where, message: `${name} must be ${expected}, not ${shown(value)}` }];
}

function refused(where: string, message: string): { value: unknown; problems: Problem[] } {
  return { value: undefined, problems: [{ where, message }] };
}

function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}...` : value);
  if (Array.isArray(value)) return 'a list';
  return isMap(value) ? 'a map' : String(value);
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
