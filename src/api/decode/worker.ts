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

function answer({ bytes, format }: WorkerRequest): WorkerReply {
  try {
    return { kind: 'documents', documents: parseDocuments(bytes, format) };
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return { kind: 'refused', reason: error.reason, line: error.line, column: error.column };
  }
}

parentPort?.on('message', (request: WorkerRequest) => parentPort?.postMessage(answer(request)));
