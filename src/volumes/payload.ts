import type { ConfigSources } from '../api/config-sources.ts';
import type { KeyToPath, Pod } from '../api/pod.ts';

/** One file of a volume that is made from objects of the API. */
export interface PayloadFile {
  readonly data: Uint8Array;
  /** Permission bits. */
  readonly mode: number;
  /** Who owns it; root unless given. */
  readonly uid?: number;
}

/** The files of a volume by their relative path, `a/b.conf`. */
export type Payload = ReadonlyMap<string, PayloadFile>;

/** What payloads are made from, besides the manifest. */
export interface PayloadFacts {
  readonly sources: ConfigSources;
  /** What "unlimited" means here: the node's allocatable, as quantities. */
  readonly allocatable: Readonly<Record<string, string>>;
  /** A token of the pod's service account; undefined when that is missing. */
  readonly token: (wish: { readonly audience: string; readonly expirationSeconds: number }) => string | undefined;
  /** When the first of the tokens is to be made anew. Milliseconds since the epoch. */
  readonly tokensDueAtMs: () => number | undefined;
}

/** A payload that cannot be made: its source is missing, or a path cannot be. The message never has any content. */
export class PayloadError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'PayloadError';
  }
}

/** Permission bits when nobody says any. */
export const DEFAULT_MODE = 0o644;

const MAX_PATH_BYTES = 4096;
const MAX_NAME_BYTES = 255;

/**
 * PURE. A path of a payload, without empty and `.` components. What could leave the volume, or be taken for what the
 * writer needs for itself, is refused (validatePath in pkg/volume/util/atomic_writer.go). @throws PayloadError
 */
export function payloadPath(path: string): string {
  const refuse = (why: string) => new PayloadError(`invalid path ${JSON.stringify(path.slice(0, 300))}: ${why}`);
  if (path.startsWith('/')) throw refuse('must be a relative path');
  if (path.includes('\0')) throw refuse('must not contain a NUL character');
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) throw refuse(`must be no more than ${MAX_PATH_BYTES} bytes`);
  const names = path.split('/').filter((name) => name !== '' && name !== '.');
  if (names.length === 0) throw refuse('must not be empty');
  if (names.includes('..')) throw refuse("must not contain '..'");
  if (names[0]?.startsWith('..')) throw refuse("must not start with '..'");
  if (names.some((name) => Buffer.byteLength(name) > MAX_NAME_BYTES)) {
    throw refuse(`a name in it must be no more than ${MAX_NAME_BYTES} bytes`);
  }
  return names.join('/');
}

/** What an object's data is to become. */
export interface KeyedSource {
  /** Undefined: every key, under its own name. */
  readonly items: readonly KeyToPath[] | undefined;
  readonly defaultMode: number;
  /** Keys that are missing are left out instead of being an error. */
  readonly optional: boolean;
  /** The error for a key that is missing. */
  readonly missing: (key: string) => string;
}

/** PURE. Files from keys (MakePayload in pkg/volume/configmap and pkg/volume/secret). @throws PayloadError */
export function keyedPayload(data: ReadonlyMap<string, Uint8Array>, source: KeyedSource): Payload {
  const files = new Map<string, PayloadFile>();
  const items = source.items?.length ? source.items : [...data.keys()].map((key) => ({ key, path: key }) as KeyToPath);
  for (const { key, path, mode } of items) {
    const content = data.get(key);
    if (content !== undefined) files.set(payloadPath(path), { data: content, mode: mode ?? source.defaultMode });
    else if (!source.optional) throw new PayloadError(source.missing(key));
  }
  return files;
}

/** PURE. All payloads in one; of two files with the same path the later one counts. @throws PayloadError */
export function mergedPayload(payloads: readonly Payload[]): Payload {
  const merged = new Map(payloads.flatMap((payload) => [...payload]));
  for (const path of merged.keys()) {
    for (let end = path.indexOf('/'); end > 0; end = path.indexOf('/', end + 1)) {
      const directory = path.slice(0, end);
      if (merged.has(directory)) throw new PayloadError(`${directory} cannot be a file and a directory`);
    }
  }
  return merged;
}

/** PURE. The user whose processes alone may read what is for all containers: the one that all of them run as. */
export function onlyUserOf({ spec }: Pod): number | undefined {
  const users = [...(spec.initContainers ?? []), ...spec.containers].map(
    (container) => container.securityContext?.runAsUser ?? spec.securityContext?.runAsUser,
  );
  return users.every((user) => user === users[0]) ? users[0] : undefined;
}
