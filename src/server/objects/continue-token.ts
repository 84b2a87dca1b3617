import { badRequest } from '../../api/status-error.ts';

/** As in Kubernetes: no resourceVersion that there can be. */
const latest = '-1';

/** Where a list that comes in pages goes on. */
export interface ContinueToken {
  /** Of the first page: every page shows the state at it. Undefined: the next page shows the latest state. */
  readonly resourceVersion: number | undefined;
  /** The last object that was given out. */
  readonly namespace: string;
  readonly name: string;
}

export function writeContinueToken(token: ContinueToken): string {
  const version = token.resourceVersion === undefined ? latest : String(token.resourceVersion);
  return Buffer.from(JSON.stringify([version, token.namespace, token.name])).toString('base64url');
}

/** @throws StatusError BadRequest when it is none that we wrote. */
export function readContinueToken(text: string): ContinueToken {
  try {
    const parts: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    if (Array.isArray(parts) && parts.length === 3 && parts.every((part) => typeof part === 'string')) {
      const [version = '', namespace = '', name = ''] = parts;
      if (version === latest) return { resourceVersion: undefined, namespace, name };
      if (/^[1-9]\d{0,14}$/.test(version)) return { resourceVersion: Number(version), namespace, name };
    }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw badRequest('continue key is not valid');
}
