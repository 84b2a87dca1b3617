import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { readFileIfThere, writeFileAtomic } from '../util/private-file.ts';

/** The claims that every token has (RFC 7519); times in seconds since the epoch. */
export interface RegisteredClaims {
  readonly iss: string;
  readonly sub: string;
  readonly aud: readonly string[];
  readonly exp: number;
  readonly iat: number;
  readonly nbf: number;
}

/** No token of ours is as long. */
const MAX_TOKEN_CHARACTERS = 16 * 1024;
/** So much may clocks differ; here it is the same machine's, before and after it was set. */
const LEEWAY_SECONDS = 10;

/**
 * Signs tokens with ECDSA P-256 (ES256), and knows them again. Nothing in a token chooses how it is verified: there is
 * one algorithm and one key.
 */
export class TokenSigner {
  readonly #privateKey: KeyObject;
  readonly #publicKey: KeyObject;
  readonly #header: string;

  constructor(privateKey: KeyObject) {
    this.#privateKey = privateKey;
    this.#publicKey = createPublicKey(privateKey);
    const kid = createHash('sha256')
      .update(this.#publicKey.export({ type: 'spki', format: 'der' }))
      .digest('base64url');
    this.#header = encode({ alg: 'ES256', typ: 'JWT', kid });
  }

  sign(claims: RegisteredClaims): string {
    const text = `${this.#header}.${encode(claims)}`;
    const signature = sign('sha256', Buffer.from(text), { key: this.#privateKey, dsaEncoding: 'ieee-p1363' });
    return `${text}.${signature.toString('base64url')}`;
  }

  /** The claims of a token that this key has signed and that is valid now; undefined for any other text. */
  verify(token: string, now: number): RegisteredClaims | undefined {
    if (token.length > MAX_TOKEN_CHARACTERS) return undefined;
    const [header, payload, signature, ...rest] = token.split('.');
    if (header !== this.#header || payload === undefined || signature === undefined || rest.length > 0)
      return undefined;
    const key = { key: this.#publicKey, dsaEncoding: 'ieee-p1363' } as const;
    if (!verify('sha256', Buffer.from(`${header}.${payload}`), key, Buffer.from(signature, 'base64url')))
      return undefined;
    // Whoever could sign it was this daemon.
    const claims: RegisteredClaims = JSON.parse(Buffer.from(payload, 'base64url').toString());
    const seconds = now / 1000;
    return claims.exp > seconds && claims.nbf <= seconds + LEEWAY_SECONDS ? claims : undefined;
  }
}

/** The signer whose key is in a file, which is made if it is missing: 0600. @throws when it holds another kind of key. */
export function openTokenSigner(path: string): TokenSigner {
  const found = readFileIfThere(path);
  const key =
    found === undefined ? generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey : createPrivateKey(found);
  if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') throw new Error(`${path} has no key of the curve P-256`);
  if (found === undefined) {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileAtomic(path, key.export({ type: 'pkcs8', format: 'pem' }).toString(), 0o600);
  }
  return new TokenSigner(key);
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
