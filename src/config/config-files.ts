import { access, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DecodeError } from '../api/decode/decode-error.ts';
import { decodeUtf8 } from '../api/decode/utf8.ts';
import { parseYaml } from '../api/decode/yaml.ts';
import { type CheckedDocument, checkDocument } from './check.ts';
import type { Problem } from './problem.ts';

/**
 * The configuration file and, in the order of their names, the `*.yaml` files of the directory `<file>.d`; what is not
 * there is no problem, unless the file was asked for.
 */
export async function configFiles(
  file: string,
  isRequired: boolean,
): Promise<{ files: string[]; problems: Problem[] }> {
  const dropinDirectory = `${file}.d`;
  const files: string[] = [];
  const problems: Problem[] = [];
  try {
    await access(file);
    files.push(file);
  } catch (error) {
    if (isRequired || codeOf(error) !== 'ENOENT') problems.push({ where: file, message: reasonOf(error) });
  }
  try {
    const names = await readdir(dropinDirectory);
    const dropins = names.filter((name) => name.endsWith('.yaml') && !name.startsWith('.')).sort();
    files.push(...dropins.map((name) => join(dropinDirectory, name)));
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') problems.push({ where: dropinDirectory, message: reasonOf(error) });
  }
  return { files, problems };
}

/** Reads and checks one file. */
export async function readConfigFile(file: string): Promise<CheckedDocument> {
  const failed = (message: string, line?: number): CheckedDocument => ({
    values: {},
    origins: new Map(),
    problems: [{ where: line === undefined ? file : `${file}:${line}`, message }],
  });
  const lines = new Map<object, Map<string, number>>();
  const noteLine = (map: object, key: string, line: number) => {
    const ofMap = lines.get(map) ?? new Map<string, number>();
    lines.set(map, ofMap.set(key, line));
  };
  try {
    const documents = parseYaml(decodeUtf8(await readFile(file)), noteLine).filter(({ isEmpty }) => !isEmpty);
    const [document, second] = documents;
    if (document === undefined) return { values: {}, origins: new Map(), problems: [] };
    if (second !== undefined) return failed('a second YAML document is not read: put everything into one', second.line);
    if (typeof document.value !== 'object' || document.value === null || Array.isArray(document.value)) {
      return failed('must be a map of settings', document.line);
    }
    const whereIs = (map: object, key: string) => {
      const line = lines.get(map)?.get(key);
      return line === undefined ? file : `${file}:${line}`;
    };
    const checked = checkDocument(document.value, whereIs);
    const duplicates = document.duplicates.map((message) => {
      const [, line, rest] = /^line ([0-9]+): (.*)$/.exec(message) ?? [];
      return line === undefined ? { where: file, message } : { where: `${file}:${line}`, message: rest ?? '' };
    });
    return { ...checked, problems: [...duplicates, ...checked.problems] };
  } catch (error) {
    if (error instanceof DecodeError) return failed(error.message, error.line);
    return failed(reasonOf(error));
  }
}

function codeOf(error: unknown): unknown {
  return (error as NodeJS.ErrnoException).code;
}

function reasonOf(error: unknown): string {
  if (codeOf(error) === 'ENOENT') return 'there is no such file';
  return error instanceof Error ? error.message : String(error);
}
