import { DecodeError } from './decode-error.ts';
import { parseJson } from './json.ts';
import { inlineBytes, inlineYamlTokens, maxYamlTokens } from './limits.ts';
import { countYamlTokens } from './prescan.ts';
import { parseProtobuf } from './protobuf.ts';
import { decodeUtf8 } from './utf8.ts';
import { parseYaml } from './yaml.ts';

export type Format = 'json' | 'yaml' | 'protobuf';

export interface Document {
  /** Plain JSON values: objects, arrays, strings, numbers, booleans, null, and bigints beyond ±(2^53-1). */
  readonly value: unknown;
  /** One message for each duplicate key, as Kubernetes words it for this format. */
  readonly duplicates: readonly string[];
  /** Where it begins in the input, from 1. */
  readonly line: number;
}

/**
 * Bytes to the documents in them; empty YAML documents are left out. Runs on the main thread for small inputs and in
 * the worker for all others.
 *
 * @throws DecodeError
 */
export function parseDocuments(bytes: Uint8Array, format: Format): Document[] {
  try {
    if (format === 'protobuf') return [{ value: parseProtobuf(bytes), duplicates: [], line: 1 }];
    const text = decodeUtf8(bytes);
    if (format === 'json') return [{ ...parseJson(text), line: 1 }];
    if (countYamlTokens(bytes) > maxYamlTokens) throw new DecodeError('the document has too many values');
    return parseYaml(text)
      .filter((document) => !document.isEmpty)
      .map(({ value, duplicates, line }) => ({ value, duplicates, line }));
  } catch (error) {
    // The depth limit keeps both readers far from the stack's end; a thinner stack must still give an answer.
    if (error instanceof RangeError) throw new DecodeError('nested too deeply');
    throw error;
  }
}

/** Whether parsing is certain to take a few milliseconds at most: small, and without aliases, which can multiply it. */
export function isQuick(bytes: Uint8Array, format: Format): boolean {
  if (bytes.byteLength > inlineBytes) return false;
  if (format !== 'yaml') return true;
  const mayHaveAliases = bytes.includes(0x26) && bytes.includes(0x2a);
  return !mayHaveAliases && countYamlTokens(bytes) <= inlineYamlTokens;
}
