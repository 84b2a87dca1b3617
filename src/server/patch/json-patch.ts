import { getMember, isJsonObject, type Json, type JsonObject, jsonEqual, maxJsonDepth, setMember } from './json.ts';
import { PatchError } from './patch-error.ts';

/** As in Kubernetes' apiserver. */
const maxOperations = 10_000;

/**
 * What copying, moving and inserting may touch in all, in values. A document of 3 MiB has fewer; a patch that doubles
 * it again and again, or shifts a long list ten thousand times, does not get far.
 */
const maxWork = 2_000_000;

type Operation = {
  readonly op: string;
  readonly path: readonly string[];
  readonly from: readonly string[];
  readonly value: Json | undefined;
};

/** JSON patch, RFC 6902. Works on a private copy of the document. @throws PatchError */
export function applyJsonPatch(document: Json, patch: unknown): Json {
  if (!Array.isArray(patch)) throw new PatchError(400, 'a JSON patch is a list of operations');
  if (patch.length > maxOperations) {
    throw new PatchError(
      413,
      `The allowed maximum operations in a JSON patch is ${maxOperations}, got ${patch.length}`,
    );
  }
  const editor = new Editor(structuredClone(document));
  for (const operation of patch.map(parseOperation)) editor.apply(operation);
  return editor.document;
}

function parseOperation(entry: unknown): Operation {
  if (!isJsonObject(entry)) throw new PatchError(400, 'an operation of a JSON patch is an object');
  const op = getMember(entry, 'op');
  const path = getMember(entry, 'path');
  const from = getMember(entry, 'from');
  if (typeof op !== 'string') throw new PatchError(400, 'an operation of a JSON patch has no "op"');
  if (typeof path !== 'string') throw new PatchError(400, `operation ${JSON.stringify(op)} has no "path"`);
  const needsFrom = op === 'move' || op === 'copy';
  if (needsFrom && typeof from !== 'string') throw new PatchError(400, `operation ${op} of ${path} has no "from"`);
  const value = getMember(entry, 'value');
  if ((op === 'add' || op === 'replace' || op === 'test') && value === undefined) {
    throw new PatchError(400, `operation ${op} of ${path} has no "value"`);
  }
  return { op, path: parsePointer(path), from: typeof from === 'string' ? parsePointer(from) : [], value };
}

/** JSON pointer, RFC 6901. */
function parsePointer(pointer: string): string[] {
  if (pointer === '') return [];
  if (!pointer.startsWith('/')) throw new PatchError(400, `${JSON.stringify(pointer)} is not a JSON pointer`);
  return pointer
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

class Editor {
  #document: Json;
  #work = 0;

  constructor(document: Json) {
    this.#document = document;
  }

  get document(): Json {
    return this.#document;
  }

  apply({ op, path, from, value = null }: Operation): void {
    switch (op) {
      case 'add':
        this.#add(path, value);
        break;
      case 'remove':
        this.#remove(path);
        break;
      case 'replace':
        this.#replace(path, value);
        break;
      case 'move':
        if (startsWith(path, from) && path.length > from.length) {
          throw new PatchError(422, `${show(from)} cannot be moved into itself`);
        }
        this.#add(path, this.#remove(from));
        break;
      case 'copy': {
        const original = this.#read(from);
        this.#measure(original, path.length);
        this.#add(path, structuredClone(original));
        break;
      }
      case 'test':
        if (!jsonEqual(this.#read(path), value)) throw new PatchError(422, `testing value ${show(path)} failed`);
        break;
      default:
        throw new PatchError(400, `${JSON.stringify(op)} is not an operation of a JSON patch`);
    }
  }

  #add(path: readonly string[], value: Json): void {
    this.#measure(value, path.length);
    const key = path.at(-1);
    if (key === undefined) {
      this.#document = value;
      return;
    }
    const parent = this.#parent(path);
    if (Array.isArray(parent)) {
      const index = key === '-' ? parent.length : arrayIndex(key, parent.length + 1, path);
      this.#spend(parent.length - index);
      parent.splice(index, 0, value);
    } else {
      setMember(parent, key, value);
    }
  }

  #replace(path: readonly string[], value: Json): void {
    this.#read(path);
    const key = path.at(-1);
    const parent = key === undefined ? undefined : this.#parent(path);
    if (key !== undefined && Array.isArray(parent)) {
      this.#measure(value, path.length);
      parent[arrayIndex(key, parent.length, path)] = value;
    } else {
      this.#add(path, value);
    }
  }

  #remove(path: readonly string[]): Json {
    const removed = this.#read(path);
    const key = path.at(-1);
    if (key === undefined) {
      this.#document = null;
      return removed;
    }
    const parent = this.#parent(path);
    if (Array.isArray(parent)) {
      this.#spend(parent.length);
      parent.splice(arrayIndex(key, parent.length, path), 1);
    } else {
      delete parent[key];
    }
    return removed;
  }

  #read(path: readonly string[]): Json {
    let value = this.#document;
    path.forEach((key, depth) => {
      const found = child(value, key, path.slice(0, depth + 1));
      if (found === undefined) throw new PatchError(422, `there is no ${show(path)}`);
      value = found;
    });
    return value;
  }

  #parent(path: readonly string[]): Json[] | JsonObject {
    const parent = this.#read(path.slice(0, -1));
    if (!Array.isArray(parent) && !isJsonObject(parent)) {
      throw new PatchError(422, `${show(path.slice(0, -1))} is neither an object nor a list`);
    }
    return parent;
  }

  /** Counts the values of something that is put at the given depth. */
  #measure(value: Json, depth: number): void {
    this.#spend(1);
    if (typeof value !== 'object' || value === null) return;
    if (depth > maxJsonDepth) throw new PatchError(422, `the result is deeper than ${maxJsonDepth} levels`);
    for (const member of Object.values(value)) this.#measure(member, depth + 1);
  }

  #spend(work: number): void {
    this.#work += work;
    if (this.#work > maxWork) throw new PatchError(413, 'the JSON patch copies and moves too much');
  }
}

function child(value: Json, key: string, path: readonly string[]): Json | undefined {
  if (Array.isArray(value)) return value[arrayIndex(key, value.length, path)];
  return isJsonObject(value) ? getMember(value, key) : undefined;
}

function arrayIndex(key: string, end: number, path: readonly string[]): number {
  const index = /^(0|[1-9]\d{0,8})$/.test(key) ? Number(key) : Number.NaN;
  if (!(index < end)) throw new PatchError(422, `${show(path)} is not an index of the list`);
  return index;
}

function startsWith(path: readonly string[], prefix: readonly string[]): boolean {
  return prefix.every((part, i) => path[i] === part);
}

function show(path: readonly string[]): string {
  const text = path.map((part) => `/${part}`).join('');
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}...` : text);
}
