import {
  badRequest,
  requestEntityTooLarge,
  serviceUnavailable,
  tooManyRequests,
  unsupportedMediaType,
} from '../status-error.ts';
import { DecodeError } from './decode-error.ts';
import { DecodeThread, DecodeThreadStopped } from './decode-thread.ts';
import { maxBodyBytes } from './limits.ts';
import { type Document, type Format, isQuick, parseDocuments } from './parse.ts';
import { unsupportedProtobufKind } from './protobuf.ts';

export type { Document, Format } from './parse.ts';

/** What could not be read of a file, with its place. */
export interface DecodeProblem {
  /** `line 3, column 5: ...`, never with a piece of the input in it. */
  readonly message: string;
  readonly line: number | undefined;
  readonly column: number | undefined;
}

export interface DecodedFile {
  /** Empty when there are errors. */
  readonly documents: readonly Document[];
  readonly errors: readonly DecodeProblem[];
}

const formatNames: Readonly<Record<Format, string>> = { json: 'JSON', yaml: 'YAML', protobuf: 'Kubernetes protobuf' };

/** Inputs that may wait for the thread: 2 s each at worst. */
const maxWaiting = 32;

/**
 * Bytes to plain values, within limits (see limits.ts): small inputs here and now, all others on a thread of their own,
 * so that no input can hold up or end the daemon. Stop it with `stop`; it can be used again afterwards.
 */
export class Decoder {
  readonly #maxBytes: number;
  readonly #thread: DecodeThread;

  constructor(options: { maxBytes?: number } = {}) {
    this.#maxBytes = options.maxBytes ?? maxBodyBytes;
    // The bundle has the thread's code as a file beside it.
    const entry = import.meta.url.endsWith('.ts') ? './worker.ts' : './decode-worker.js';
    this.#thread = new DecodeThread(new URL(entry, import.meta.url));
  }

  /** Nothing to prepare: the thread starts when a large input comes. */
  start(): void {}

  async stop(): Promise<void> {
    await this.#thread.stop();
  }

  /**
   * A request body: exactly one document.
   *
   * @returns the value, and the duplicate keys in the words of strict decoding (see strict.ts).
   * @throws StatusError 400 with line and column (in protobuf: the field), 413, 415 for a kind that is not read from
   *   protobuf, 429 or 503.
   */
  async decode(bytes: Uint8Array, format: Format): Promise<{ value: unknown; duplicates: readonly string[] }> {
    if (bytes.byteLength > this.#maxBytes) {
      throw requestEntityTooLarge(this.#maxBytes);
    }
    let documents: readonly Document[];
    try {
      if (format === 'protobuf') refuseUnknownKind(bytes);
      documents = await this.#parse(bytes, format);
    } catch (error) {
      if (error instanceof DecodeError)
        throw badRequest(`the body is not valid ${formatNames[format]}: ${error.message}`);
      throw error;
    }
    const [document, second] = documents;
    if (document === undefined) throw badRequest('the body is empty');
    if (second !== undefined) {
      throw badRequest(
        `the body has ${documents.length} YAML documents (the second begins in line ${second.line}): send each in a request of its own`,
      );
    }
    return { value: document.value, duplicates: document.duplicates };
  }

  /**
   * A YAML or JSON file with any number of documents; empty ones are left out.
   *
   * @throws StatusError 429 or 503, when there was no time to read it: this says nothing about the file.
   */
  async decodeAll(bytes: Uint8Array): Promise<DecodedFile> {
    try {
      return { documents: await this.#parse(bytes, 'yaml'), errors: [] };
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      return { documents: [], errors: [{ message: error.message, line: error.line, column: error.column }] };
    }
  }

  async #parse(bytes: Uint8Array, format: Format): Promise<readonly Document[]> {
    if (isQuick(bytes, format)) return parseDocuments(bytes, format);
    if (this.#thread.waiting >= maxWaiting) throw tooManyRequests('too many large bodies are being read', 1);
    try {
      return await this.#thread.parse(bytes, format);
    } catch (error) {
      if (error instanceof DecodeThreadStopped) throw serviceUnavailable('the server is shutting down');
      throw error;
    }
  }
}

/** @throws StatusError 415, DecodeError */
function refuseUnknownKind(bytes: Uint8Array): void {
  const unsupported = unsupportedProtobufKind(bytes);
  if (unsupported === undefined) return;
  const [kind, apiVersion] = [unsupported.kind, unsupported.apiVersion].map((text) =>
    JSON.stringify(text.slice(0, 100)),
  );
  throw unsupportedMediaType(
    ['application/json', 'application/yaml'],
    `the kind ${kind} of ${apiVersion} is not read from protobuf`,
  );
}
