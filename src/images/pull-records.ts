import { createHash, createHmac, randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/log.ts';
import { readFileIfThere, writeFileAtomic } from '../util/private-file.ts';
import type { PullCredential, SecretSource } from './keyring.ts';

/** A Secret that an image was pulled with. The hash is keyed: with the record alone nobody can try passwords. */
export interface RecordedSecret extends SecretSource {
  readonly credentialHash: string;
}

/** Who may use an image under one name. */
export interface RecordedAccess {
  /** It was pulled with no credential, or with one of the node's. */
  readonly nodePodsAccessible?: boolean;
  readonly kubernetesSecrets?: readonly RecordedSecret[];
}

/** That an image was pulled by the daemon, and with what (ImagePulledRecord of a kubelet). */
export interface PulledRecord {
  /** The runtime's id of the image. */
  readonly imageRef: string;
  /** RFC 3339. */
  readonly lastUpdatedTime: string;
  /** By the image's repository. */
  readonly credentialMapping: Readonly<Record<string, RecordedAccess>>;
}

/** Written before a pull begins: whatever is there under this name afterwards may have come from it. */
interface PullIntent {
  readonly image: string;
  /** The image that had the name before. */
  readonly presentBefore?: string | undefined;
}

export interface PullRecordsOptions {
  /** Belongs to the daemon alone. */
  readonly directory: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The runtime's id of what is there under a name. @throws RuntimeError */
  imageId(image: string, signal: AbortSignal | undefined): Promise<string | undefined>;
}

/** A record that grows with every tenant of a node is not written any more: the credential is verified again instead. */
const MAX_SECRETS = 100;

/**
 * What the daemon has pulled, on disk (KEP-2535). An intent is on disk before a pull begins, and goes when the record is there or
 * the pull has failed. A daemon that is killed in between leaves the intent, and with it the knowledge that the image is
 * not one that was there from the start:
 *
 *     intent ──► pull ──► record ──► intent removed
 *        └─ killed: the image, once it is there, is taken for pulled with an unknown credential
 */
export class PullRecords {
  readonly #options: PullRecordsOptions;
  readonly #pulled = new Map<string, PulledRecord>();
  readonly #unreadable = new Set<string>();
  readonly #intents = new Map<string, PullIntent>();
  /** How many pulls of a name run now. */
  readonly #running = new Map<string, number>();
  /** Names of which a pull may go on in the runtime, though nobody waits for it. */
  readonly #uncertain = new Set<string>();
  /** Names of intents whose image was not there when `tidy` looked last. */
  readonly #missing = new Set<string>();
  #hashKey = '';

  constructor(options: PullRecordsOptions) {
    this.#options = options;
  }

  /** Reads what is on disk. Before it nothing is known. */
  load(): void {
    for (const directory of [this.#pulledDirectory, this.#pullingDirectory]) {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
    }
    const keyFile = join(this.#options.directory, 'hash-key');
    this.#hashKey = readFileIfThere(keyFile) ?? '';
    if (this.#hashKey === '') {
      this.#hashKey = randomBytes(32).toString('base64');
      writeFileAtomic(keyFile, this.#hashKey, 0o600);
    }
    for (const { file, content } of this.#files(this.#pulledDirectory)) {
      if (isPulledRecord(content)) this.#pulled.set(content.imageRef, content);
      else this.#unreadable.add(file);
    }
    for (const { file, content } of this.#files(this.#pullingDirectory)) {
      if (isPullIntent(content)) this.#intents.set(content.image, content);
      // It says of no image that the daemon pulled it.
      else rmSync(join(this.#pullingDirectory, file), { force: true });
    }
  }

  get(imageRef: string): PulledRecord | undefined {
    return this.#pulled.get(imageRef);
  }

  /** Stands for a credential: the same for the same user and password. */
  hashOf({ username, password }: Pick<PullCredential, 'username' | 'password'>): string {
    return createHmac('sha256', this.#hashKey)
      .update(JSON.stringify([username, password]))
      .digest('hex');
  }

  /** Whether the daemon pulled it, or may have: also while the pull is not recorded yet. */
  async isPulledHere(imageRef: string, signal: AbortSignal | undefined): Promise<boolean> {
    if (this.#pulled.has(imageRef) || this.#unreadable.has(fileName(imageRef))) return true;
    for (const { image, presentBefore } of this.#intents.values()) {
      const id = await this.#options.imageId(image, signal);
      if (id === imageRef && id !== presentBefore) return true;
    }
    return this.#pulled.has(imageRef);
  }

  /** A pull begins: before the runtime is asked for it. */
  async begin(image: string, signal: AbortSignal | undefined): Promise<void> {
    if (!this.#running.has(image)) await this.#settle(image, signal);
    const presentBefore = await this.#options.imageId(image, signal);
    // Asked before, and looked at after: another pull of this name may have begun meanwhile.
    if (!this.#intents.has(image)) {
      const intent = { image, presentBefore };
      writeFileAtomic(this.#intentPath(image), JSON.stringify(intent), 0o600);
      this.#intents.set(image, intent);
    }
    this.#missing.delete(image);
    this.#running.set(image, (this.#running.get(image) ?? 0) + 1);
  }

  /** A pull that `begin` told of has brought an image. `credential`: what it was pulled with, undefined for nothing. */
  succeeded(image: string, repository: string, imageRef: string, credential: PullCredential | undefined): void {
    const source = credential?.source;
    const access: RecordedAccess =
      credential && source
        ? { kubernetesSecrets: [{ ...source, credentialHash: this.hashOf(credential) }] }
        : { nodePodsAccessible: true };
    this.#addAccess(repository, imageRef, access);
    if (this.#leave(image) <= 0) this.#removeIntent(image);
  }

  /** A pull that `begin` told of has failed. `isOutcomeUnknown`: the runtime may have brought the image all the same. */
  failed(image: string, isOutcomeUnknown: boolean): void {
    if (isOutcomeUnknown) this.#uncertain.add(image);
    if (this.#leave(image) <= 0 && !this.#uncertain.has(image)) this.#removeIntent(image);
  }

  /** A Secret that was found to be as good as one that is recorded. */
  addSecret(repository: string, imageRef: string, source: SecretSource, credentialHash: string): void {
    const { kubernetesSecrets = [] } = this.#pulled.get(imageRef)?.credentialMapping[repository] ?? {};
    if (kubernetesSecrets.length >= MAX_SECRETS) return;
    this.#addAccess(repository, imageRef, { kubernetesSecrets: [{ ...source, credentialHash }] });
  }

  /** Turns what a daemon that was killed left behind into records, and forgets images that are gone. */
  async tidy(presentIds: ReadonlySet<string>, listedAtMs: number): Promise<void> {
    for (const image of [...this.#intents.keys()]) {
      if (this.#running.has(image)) continue;
      await this.#settle(image, undefined);
      // No runtime is at it for so long when nobody waits.
      if (this.#missing.has(image) && !this.#running.has(image)) this.#removeIntent(image);
      else if (this.#intents.has(image)) this.#missing.add(image);
    }
    for (const { imageRef, lastUpdatedTime } of [...this.#pulled.values()]) {
      // One that is newer than the list is of a pull that was not over by then.
      if (presentIds.has(imageRef) || Date.parse(lastUpdatedTime) >= listedAtMs) continue;
      rmSync(this.#recordPath(imageRef), { force: true });
      this.#pulled.delete(imageRef);
    }
  }

  /** What came of a pull that nobody waits for any more. */
  async #settle(image: string, signal: AbortSignal | undefined): Promise<void> {
    const intent = this.#intents.get(image);
    if (!intent) return;
    const id = await this.#options.imageId(image, signal);
    // It may still come, as long as the runtime is at it.
    if (id === undefined || this.#running.has(image)) return;
    if (id !== intent.presentBefore && !this.#pulled.has(id)) this.#write(id, {});
    this.#removeIntent(image);
  }

  #addAccess(repository: string, imageRef: string, added: RecordedAccess): void {
    const mapping = this.#pulled.get(imageRef)?.credentialMapping ?? {};
    const before = Object.hasOwn(mapping, repository) ? mapping[repository] : undefined;
    const merged = mergeAccess(before, added);
    if (merged === before) return;
    this.#write(imageRef, { ...mapping, [repository]: merged });
  }

  #write(imageRef: string, credentialMapping: PulledRecord['credentialMapping']): void {
    const lastUpdatedTime = new Date(this.#options.clock.now()).toISOString();
    const record: PulledRecord = { imageRef, lastUpdatedTime, credentialMapping };
    writeFileAtomic(this.#recordPath(imageRef), JSON.stringify(record), 0o600);
    this.#pulled.set(imageRef, record);
    this.#unreadable.delete(fileName(imageRef));
  }

  #leave(image: string): number {
    const left = (this.#running.get(image) ?? 1) - 1;
    if (left > 0) this.#running.set(image, left);
    else this.#running.delete(image);
    return left;
  }

  #removeIntent(image: string): void {
    rmSync(this.#intentPath(image), { force: true });
    this.#intents.delete(image);
    this.#uncertain.delete(image);
    this.#missing.delete(image);
  }

  get #pulledDirectory(): string {
    return join(this.#options.directory, 'pulled');
  }

  get #pullingDirectory(): string {
    return join(this.#options.directory, 'pulling');
  }

  #recordPath(imageRef: string): string {
    return join(this.#pulledDirectory, fileName(imageRef));
  }

  #intentPath(image: string): string {
    return join(this.#pullingDirectory, fileName(image));
  }

  #files(directory: string): { file: string; content: unknown }[] {
    const files = readdirSync(directory).filter((file) => file.endsWith('.json'));
    return files.map((file) => {
      const path = join(directory, file);
      try {
        return { file, content: JSON.parse(readFileIfThere(path) ?? '') };
      } catch (error) {
        if (!(error instanceof SyntaxError)) throw error;
        this.#options.logger.error({ file: path }, 'a record of a pulled image cannot be read');
        return { file, content: undefined };
      }
    });
  }
}

/** Names may have slashes and be long. */
function fileName(text: string): string {
  return `${createHash('sha256').update(text).digest('hex')}.json`;
}

/** The same object when nothing is new. PURE. */
function mergeAccess(before: RecordedAccess | undefined, added: RecordedAccess): RecordedAccess {
  if (before === undefined) return added;
  if (before.nodePodsAccessible) return before;
  if (added.nodePodsAccessible) return added;
  const known = before.kubernetesSecrets ?? [];
  const isSame = (a: RecordedSecret, b: RecordedSecret) =>
    a.uid === b.uid && a.namespace === b.namespace && a.name === b.name;
  const fresh = (added.kubernetesSecrets ?? []).filter(
    (secret) => !known.some((other) => isSame(secret, other) && secret.credentialHash === other.credentialHash),
  );
  if (fresh.length === 0) return before;
  return { kubernetesSecrets: [...known.filter((secret) => !fresh.some((other) => isSame(secret, other))), ...fresh] };
}

function isPulledRecord(value: unknown): value is PulledRecord {
  return isMap(value) && typeof value.imageRef === 'string' && isMap(value.credentialMapping);
}

function isPullIntent(value: unknown): value is PullIntent {
  return isMap(value) && typeof value.image === 'string';
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
