import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { StoreUnreadableError } from './errors.ts';
import { addSecretKey, KeyFileError, readSecretKeys, type SecretKey } from './secret-keys.ts';

/** What a sealed text belongs to: taken to another place, it cannot be opened. */
export interface SealPlace {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

const prefix = 'aes256gcm:';
const ivBytes = 12;
const tagBytes = 16;

/** A sealed text that cannot be opened: its key is missing, or it is not what was sealed there. */
export class SealError extends Error {
  constructor(why: string) {
    super(why);
    this.name = 'SealError';
  }
}

/** Whether a text is one that `SecretBox` has sealed; no JSON is. */
export function isSealed(text: string): boolean {
  return text.startsWith(prefix);
}

/**
 * Seals texts for the disk: `aes256gcm:<key id>:<base64 of nonce, ciphertext and tag>`. The place is bound to the text
 * as associated data.
 */
export class SecretBox {
  readonly #keys: ReadonlyMap<string, SecretKey>;
  readonly #current: SecretKey;

  /** @param keys the first one seals, all open. */
  constructor(keys: readonly SecretKey[]) {
    const [current] = keys;
    if (!current) throw new Error('there is no key');
    this.#current = current;
    this.#keys = new Map(keys.map((key) => [key.id, key]));
  }

  seal(text: string, place: SealPlace): string {
    const iv = randomBytes(ivBytes);
    const cipher = createCipheriv('aes-256-gcm', this.#current.bytes, iv);
    cipher.setAAD(associatedData(place));
    const sealed = Buffer.concat([iv, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
    return `${prefix}${this.#current.id}:${sealed.toString('base64')}`;
  }

  /** @throws SealError, whose message says nothing of the content. */
  open(sealed: string, place: SealPlace): string {
    const [, id = '', data = ''] = sealed.split(':');
    const key = this.#keys.get(id);
    if (!key)
      throw new SealError(
        `it is encrypted with the key ${JSON.stringify(id.slice(0, 64))}, which is not in the key file`,
      );
    const bytes = Buffer.from(data, 'base64');
    if (bytes.length < ivBytes + tagBytes) throw new SealError('it is too short to be encrypted');
    const decipher = createDecipheriv('aes-256-gcm', key.bytes, bytes.subarray(0, ivBytes), {
      authTagLength: tagBytes,
    });
    decipher.setAAD(associatedData(place));
    decipher.setAuthTag(bytes.subarray(-tagBytes));
    try {
      const text = decipher.update(bytes.subarray(ivBytes, -tagBytes));
      return Buffer.concat([text, decipher.final()]).toString('utf8');
    } catch {
      // The only way to fail is a tag that does not fit.
      throw new SealError('its encrypted content was changed, or belongs to another object');
    }
  }

  /** Whether a sealed text would be sealed with the same key today. */
  isCurrent(sealed: string): boolean {
    return sealed.startsWith(`${prefix}${this.#current.id}:`);
  }
}

/** No part has a NUL in it. */
function associatedData({ kind, namespace, name }: SealPlace): Buffer {
  return Buffer.from(['mini-kubelet', kind, namespace, name].join('\0'));
}

/**
 * The box for a store's rows. A key file is made when there is none, but never where rows need an old key.
 *
 * @throws StoreUnreadableError
 */
export function openSecretBox(
  keyPath: string,
  rows: readonly { readonly body: string }[],
  storePath: string,
): SecretBox {
  try {
    const keys = readSecretKeys(keyPath);
    if (keys) return new SecretBox(keys);
  } catch (error) {
    if (error instanceof KeyFileError) throw new StoreUnreadableError(storePath, error.message);
    throw error;
  }
  if (rows.some(({ body }) => isSealed(body))) {
    throw new StoreUnreadableError(storePath, `it has Secrets, and their key file ${keyPath} is missing`);
  }
  return new SecretBox(addSecretKey(keyPath));
}
