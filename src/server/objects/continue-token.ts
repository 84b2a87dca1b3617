import { badRequest } from '../../api/status-error.ts';

/** Where a list that comes in pages goes on. */
export interface ContinueToken {
  /** Of the first page: what a watch after the last page begins with, so that it misses nothing in between. */
  readonly resourceVersion: string;
  /** The last object that was given out. */
  readonly namespace: string;
  readonly name: string;
}

export function writeContinueToken(token: ContinueToken): string {
  return Buffer.from(JSON.stringify([token.resourceVersion, token.namespace, token.name])).toString('base64url');
}

/** @throws StatusError BadRequest when it is none that we wrote. */
export function readContinueToken(text: string): ContinueToken {
  try {
    const parts: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    if (Array.isArray(parts) && parts.length === 3 && parts.every((part) => typeof part === 'string')) {
      const [resourceVersion = '', namespace = '', name = ''] = parts;
      return { resourceVersion, namespace, name };
    }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw badRequest('continue key is not valid');
}
