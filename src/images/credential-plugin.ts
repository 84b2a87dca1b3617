import { isAtLocation } from '../api/registry-location.ts';
import type { CredentialProvider } from '../config/credential-providers.ts';
import { parseDuration } from '../config/duration.ts';
import type { Clock } from '../util/clock.ts';
import { ExecError, type RunOptions } from '../util/exec.ts';
import type { Logger } from '../util/log.ts';
import type { RegistryLogin } from './docker-config.ts';

export interface CredentialPluginOptions {
  readonly provider: CredentialProvider;
  readonly clock: Clock;
  readonly logger: Logger;
  run(file: string, args: readonly string[], options: RunOptions): Promise<{ stdout: string }>;
}

/** As a kubelet's. */
const TIMEOUT_MS = 60_000;
/** Of what a plugin says of its failure; it is not to say credentials there. */
const MAX_LOGGED = 1000;

interface Answer {
  readonly logins: readonly RegistryLogin[];
  readonly cacheKeyType: 'Image' | 'Registry' | 'Global';
  /** 0: not at all. */
  readonly holdsMs: number;
}

/** The answer is not what it should be. It may hold credentials: no part of it is told. */
class AnswerError extends Error {}

/**
 * Asks one program for credentials and keeps its answers, each for as long as it says (pkg/credentialprovider/plugin of Kubernetes). The
 * program gets a CredentialProviderRequest on its standard input and writes a CredentialProviderResponse.
 */
export class CredentialPlugin {
  readonly #options: CredentialPluginOptions;
  readonly #kept = new Map<string, { readonly logins: readonly RegistryLogin[]; readonly untilMs: number }>();
  readonly #asked = new Map<string, Promise<readonly RegistryLogin[]>>();

  constructor(options: CredentialPluginOptions) {
    this.#options = options;
  }

  /** What it knows for an image's repository; nothing where it is not for it, or has failed. */
  async logins(repository: string): Promise<readonly RegistryLogin[]> {
    const { matchImages } = this.#options.provider;
    if (!matchImages.some((place) => isAtLocation(repository, place))) return [];
    const kept = this.#lookUp(repository);
    if (kept) return kept;
    const asked = this.#asked.get(repository) ?? this.#ask(repository);
    this.#asked.set(repository, asked);
    return await asked.finally(() => this.#asked.delete(repository));
  }

  #lookUp(repository: string): readonly RegistryLogin[] | undefined {
    const now = this.#options.clock.monotonicMs();
    for (const [key, { untilMs }] of this.#kept) if (untilMs <= now) this.#kept.delete(key);
    const types = ['Image', 'Registry', 'Global'] as const;
    return types.map((type) => this.#kept.get(keyOf(type, repository))?.logins).find((logins) => logins !== undefined);
  }

  async #ask(repository: string): Promise<readonly RegistryLogin[]> {
    const { provider, clock, logger, run } = this.#options;
    const { name, program, args, env, apiVersion } = provider;
    const request = { kind: 'CredentialProviderRequest', apiVersion, image: repository };
    const options = { input: JSON.stringify(request), env, timeoutMs: TIMEOUT_MS, withChildren: true };
    try {
      const { stdout } = await run(program, args, options);
      const { logins, cacheKeyType, holdsMs } = readAnswer(stdout, provider);
      const untilMs = clock.monotonicMs() + holdsMs;
      if (holdsMs > 0) this.#kept.set(keyOf(cacheKeyType, repository), { logins, untilMs });
      return logins;
    } catch (error) {
      // Not the error itself: it has all that the program has written.
      if (error instanceof ExecError) {
        const { exitCode, stderr } = error;
        logger.warn({ plugin: name, exitCode, stderr: stderr.slice(0, MAX_LOGGED) }, 'a credential plugin has failed');
      } else if (error instanceof AnswerError) {
        logger.warn({ plugin: name }, `a credential plugin gives a wrong answer: ${error.message}`);
      } else {
        throw error;
      }
      return [];
    }
  }
}

function keyOf(type: Answer['cacheKeyType'], repository: string): string {
  switch (type) {
    case 'Image':
      return `Image ${repository}`;
    case 'Registry':
      return `Registry ${repository.split('/', 1)[0]}`;
    case 'Global':
      return 'Global';
    default:
      return type satisfies never;
  }
}

/** PURE. @throws AnswerError */
function readAnswer(text: string, { apiVersion, defaultCacheDurationMs }: CredentialProvider): Answer {
  const answer = asMap(parseJson(text), 'it is no JSON object');
  if (answer.apiVersion !== apiVersion) throw new AnswerError(`its apiVersion is not ${apiVersion}`);
  if (answer.kind !== 'CredentialProviderResponse') throw new AnswerError('its kind is not CredentialProviderResponse');
  const { cacheKeyType } = answer;
  if (cacheKeyType !== 'Image' && cacheKeyType !== 'Registry' && cacheKeyType !== 'Global') {
    throw new AnswerError('its cacheKeyType is not one of Image, Registry, Global');
  }
  const duration = answer.cacheDuration ?? undefined;
  const holdsMs = duration === undefined ? defaultCacheDurationMs : parseDuration(String(duration));
  if (holdsMs === undefined) throw new AnswerError('its cacheDuration is no duration');
  const auth = asMap(answer.auth ?? {}, 'its auth is no map');
  const logins = Object.entries(auth).map(([location, entry]) => {
    const { username = '', password = '' } = asMap(entry, 'an entry of its auth is no map');
    if (typeof username === 'string' && typeof password === 'string') return { location, username, password };
    throw new AnswerError('user name and password must be texts');
  });
  return { logins, cacheKeyType, holdsMs };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) throw new AnswerError('it is no JSON object');
    throw error;
  }
}

function asMap(value: unknown, problem: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new AnswerError(problem);
}
