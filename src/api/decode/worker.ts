/*
 * The decoding thread: one input, one answer. It has no other duty, so that whatever an input does to it (time,
 * memory) ends with the thread.
 */
import { parentPort } from 'node:worker_threads';
import { DecodeError } from './decode-error.ts';
import { type Document, type Format, parseDocuments } from './parse.ts';

export interface WorkerRequest {
  readonly bytes: Uint8Array;
  readonly format: Format;
}

export type WorkerReply =
  | { readonly kind: 'documents'; readonly documents: readonly Document[] }
  | { readonly kind: 'refused'; readonly reason: string; readonly line?: number; readonly column?: number };

/** What the thread says: once that it is loaded, then an answer to each input. */
export type WorkerMessage = { readonly kind: 'ready' } | WorkerReply;

function answer({ bytes, format }: WorkerRequest): WorkerReply {
  try {
    return { kind: 'documents', documents: parseDocuments(bytes, format) };
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return { kind: 'refused', reason: error.reason, line: error.line, column: error.column };
  }
}

const say = (message: WorkerMessage) => parentPort?.postMessage(message);
parentPort?.on('message', (request: WorkerRequest) => say(answer(request)));
say({ kind: 'ready' });
