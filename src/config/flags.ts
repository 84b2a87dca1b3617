import { type ParseArgsConfig, parseArgs } from 'node:util';
import { didYouMean } from './did-you-mean.ts';
import type { IdentityFlags } from './identity-flags.ts';
import { type SettingSchema, settingPaths } from './settings.ts';
import { UsageError } from './usage-error.ts';

/** A setting given on the command line, its text turned into the setting's type as far as it can be. */
export interface FlagValue {
  readonly flag: string;
  readonly path: readonly string[];
  readonly schema: SettingSchema;
  readonly value: unknown;
}

interface Flag {
  readonly name: string;
  readonly path: readonly string[];
  readonly schema: SettingSchema;
}

/** The flag of every setting. */
export function settingFlags(): Flag[] {
  return settingPaths().map(({ path, schema }) => ({ name: schema.flag ?? kebab(path.at(-1) ?? ''), path, schema }));
}

/** `clusterDNS` as `cluster-dns`. */
function kebab(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1-$2')
    .replace(/([A-Z]+)([A-Z][a-z])/g, '$1-$2')
    .toLowerCase();
}

export interface CommandLine {
  readonly words: readonly string[];
  readonly help: boolean;
  readonly version: boolean;
  readonly configFile: string | undefined;
  readonly flags: readonly FlagValue[];
  /** Empty where none of them was given. */
  readonly identity: IdentityFlags;
}

/**
 * PURE. Flags and words of a command line. Lists and maps are written with commas (`--node-labels a=b,c=d`) or by
 * repeating the flag; a boolean has a `--no-` form.
 *
 * @throws UsageError
 */
export function parseCommandLine(argv: readonly string[]): CommandLine {
  const flags = settingFlags();
  const options: NonNullable<ParseArgsConfig['options']> = {
    help: { type: 'boolean', short: 'h' },
    version: { type: 'boolean', short: 'V' },
    config: { type: 'string', short: 'c' },
    name: { type: 'string' },
    groups: { type: 'string', multiple: true },
    days: { type: 'string' },
    expires: { type: 'string' },
    out: { type: 'string' },
  };
  for (const { name, schema } of flags) {
    options[name] = { type: schema.type === 'boolean' ? 'boolean' : 'string', multiple: isMultiple(schema) };
  }
  const { values, positionals } = parse([...argv], options);
  const given = flags.flatMap(({ name, path, schema }): FlagValue[] => {
    const raw = values[name];
    return raw === undefined ? [] : [{ flag: name, path, schema, value: typed(raw, schema) }];
  });
  return {
    words: positionals,
    help: values.help === true,
    version: values.version === true,
    configFile: typeof values.config === 'string' ? values.config : undefined,
    flags: given,
    identity: Object.fromEntries(
      ['name', 'groups', 'days', 'expires', 'out'].flatMap((name) =>
        values[name] === undefined ? [] : [[name, values[name]]],
      ),
    ),
  };
}

type RawValue = string | boolean | (string | boolean)[] | undefined;

function parse(
  args: string[],
  options: NonNullable<ParseArgsConfig['options']>,
): { values: Readonly<Record<string, RawValue>>; positionals: readonly string[] } {
  try {
    return parseArgs({ args, options, allowPositionals: true, allowNegative: true, strict: true });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const unknown = /^Unknown option '(-[^']*)'/.exec(error.message)?.[1];
    if (unknown === undefined) throw new UsageError(error.message.split('\n')[0] ?? error.message);
    const name = unknown.replace(/^--?(no-)?/, '');
    const near = didYouMean(name, Object.keys(options)).replace('did you mean ', 'did you mean --');
    throw new UsageError(`there is no flag ${unknown}${near}`);
  }
}

function isMultiple(schema: SettingSchema): boolean {
  return schema.type === 'array' || schema.type === 'object';
}

/** What cannot be turned stays text, and the check of the setting then says what is wrong with it. */
function typed(raw: string | boolean | (string | boolean)[], schema: SettingSchema): unknown {
  const items = [raw].flat().flatMap((item) => (isMultiple(schema) ? String(item).split(',') : [item]));
  const nonEmpty = items.filter((item) => item !== '');
  switch (schema.type) {
    case 'array':
      return nonEmpty;
    case 'object':
      return Object.fromEntries(nonEmpty.map((item) => splitEntry(String(item))));
    case 'integer':
      return /^-?[0-9]{1,15}$/.test(String(raw)) ? Number(raw) : raw;
    case 'number':
      return /^[0-9]+(\.[0-9]+)?$/.test(String(raw)) ? Number(raw) : raw;
    default:
      return raw;
  }
}

/** `key=value`, and `memory.available<100Mi` as kubelet's --eviction-hard writes it. */
function splitEntry(text: string): [string, string] {
  const [, key = text, value = ''] = /^([^=<]*)[=<](.*)$/.exec(text) ?? [];
  return [key, value];
}

/** The lines of `--help` that describe the settings' flags. */
export function flagHelp(): string {
  return settingFlags()
    .map(({ name, schema }) => {
      const head = schema.type === 'boolean' ? `--[no-]${name}` : `--${name} ${placeholder(schema)}`;
      const isUnset = schema.default === '' || (typeof schema.default === 'object' && isEmpty(schema.default));
      const fallback = isUnset ? '' : ` (default ${shownDefault(schema.default)})`;
      return `  ${head}\n        ${schema.description ?? ''}${fallback}\n`;
    })
    .join('');
}

function placeholder(schema: SettingSchema): string {
  if (schema.enum !== undefined) return schema.enum.join('|');
  if (schema.type === 'integer' || schema.type === 'number') return 'N';
  if (schema.type === 'array') return 'A,B,...';
  if (schema.type === 'object') return 'KEY=VALUE,...';
  if (schema.format === 'duration') return 'DURATION';
  return schema.format?.startsWith('path') ? 'PATH' : 'TEXT';
}

function isEmpty(value: object | null): boolean {
  return value === null || Object.keys(value).length === 0;
}

function shownDefault(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value);
  return Object.entries(value)
    .map(([key, item]) => `${key}=${item}`)
    .join(',');
}
