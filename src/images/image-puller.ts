import { setTimeout as sleep } from 'node:timers/promises';
import { TokenBucket } from '../events/token-bucket.ts';
import type { CriClient } from '../runtime/cri-client.ts';
import type { PodSandboxConfig } from '../runtime/generated/runtime/v1/PodSandboxConfig.ts';
import { RuntimeError } from '../runtime/runtime-error.ts';
import type { Clock } from '../util/clock.ts';
import { Semaphore } from '../util/semaphore.ts';
import type { PullCredential } from './keyring.ts';

export interface ImagePullerOptions {
  readonly client: Pick<CriClient, 'pullImage'>;
  readonly clock: Clock;
  /** How many pulls may run at once. */
  readonly maxParallelPulls: number;
  /** How many pulls may begin in a second, and how many at once before that counts; 0 a second: as many as may be. */
  readonly pullsPerSecond: number;
  readonly burst: number;
}

export interface PulledImage {
  /** What the runtime knows it as. */
  readonly ref: string;
  /** What it was pulled with; undefined: without any. */
  readonly credential: PullCredential | undefined;
  /** Without the time that it waited for its turn. */
  readonly pullMs: number;
}

/** A pull may take long, but not for ever: the runtime itself gives up on one that makes no progress. */
const PULL_TIMEOUT_MS = 60 * 60 * 1000;

/** Pulls images, so many at once and so many a second, each with one credential after the other. */
export class ImagePuller {
  readonly #options: ImagePullerOptions;
  readonly #pulls: Semaphore;
  readonly #turns = new Semaphore(1);
  readonly #bucket: TokenBucket | undefined;

  constructor(options: ImagePullerOptions) {
    const { maxParallelPulls, pullsPerSecond, burst, clock } = options;
    this.#options = options;
    this.#pulls = new Semaphore(maxParallelPulls);
    if (pullsPerSecond > 0) this.#bucket = new TokenBucket(burst, pullsPerSecond, clock.monotonicMs());
  }

  /**
   * Without credentials the image is asked for anonymously, else never so.
   *
   * @throws RuntimeError whose details are those of all attempts, without what was in the credentials.
   */
  async pull(
    image: string,
    credentials: readonly PullCredential[],
    sandboxConfig: PodSandboxConfig,
    signal: AbortSignal,
  ): Promise<PulledImage> {
    return await this.#pulls.use(async () => {
      const { clock } = this.#options;
      await this.#turns.use(() => this.#waitForTurn(signal));
      const startedAt = clock.monotonicMs();
      const { ref, credential } = await this.#tryEach(image, credentials, sandboxConfig, signal);
      return { ref, credential, pullMs: clock.monotonicMs() - startedAt };
    });
  }

  async #waitForTurn(signal: AbortSignal): Promise<void> {
    const { clock, pullsPerSecond } = this.#options;
    while (this.#bucket && !signal.aborted && !this.#bucket.take(clock.monotonicMs())) {
      await sleep(1000 / pullsPerSecond, undefined, { signal }).catch(() => {});
    }
  }

  async #tryEach(
    image: string,
    credentials: readonly PullCredential[],
    sandboxConfig: PodSandboxConfig,
    signal: AbortSignal,
  ): Promise<Omit<PulledImage, 'pullMs'>> {
    const failures: RuntimeError[] = [];
    for (const credential of credentials.length > 0 ? credentials : [undefined]) {
      const auth = credential && { username: credential.username, password: credential.password };
      const options = { signal, timeoutMs: PULL_TIMEOUT_MS };
      try {
        return { ref: await this.#options.client.pullImage(image, auth, sandboxConfig, options), credential };
      } catch (error) {
        if (!(error instanceof RuntimeError)) throw error;
        const failure = withoutCredentials(error, credentials);
        if (failure.isOutcomeUnknown || signal.aborted) throw failure;
        failures.push(failure);
      }
    }
    throw together(failures);
  }
}

/** As several errors are told in Go: each once, in brackets. */
function together(failures: readonly RuntimeError[]): RuntimeError {
  const [first] = failures;
  if (!first) throw new Error('nothing has failed');
  const details = [...new Set(failures.map((failure) => failure.details))];
  return details.length === 1 ? first : new RuntimeError(first.method, first.code, `[${details.join(', ')}]`);
}

/** A registry may repeat what it was sent, and the runtime what the registry says. Nor is there a cause left that has it. */
function withoutCredentials(error: RuntimeError, credentials: readonly PullCredential[]): RuntimeError {
  let { details } = error;
  for (const { username, password } of credentials) {
    const both = `${username}:${password}`;
    for (const secret of [Buffer.from(both).toString('base64'), both, password]) {
      if (secret.length > 3) details = details.replaceAll(secret, '<redacted>');
    }
  }
  return details === error.details ? error : new RuntimeError(error.method, error.code, details);
}
