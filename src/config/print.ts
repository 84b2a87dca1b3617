import type { Settings } from './settings.ts';

/** PURE. The settings as a configuration file that means the same. Texts are in quotes, so that `yes` stays a text. */
export function printSettings(settings: Settings): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name}:${printValue(value)}\n`)
    .join('');
}

function printValue(value: unknown): string {
  if (Array.isArray(value))
    return value.length === 0 ? ' []' : value.map((item) => `\n- ${JSON.stringify(item)}`).join('');
  if (typeof value !== 'object' || value === null) return ` ${JSON.stringify(value)}`;
  const entries = Object.entries(value);
  if (entries.length === 0) return ' {}';
  return entries.map(([key, item]) => `\n  ${JSON.stringify(key)}: ${JSON.stringify(item)}`).join('');
}
