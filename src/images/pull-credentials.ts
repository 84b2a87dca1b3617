import type { Pod } from '../api/pod.ts';
import type { Secret } from '../api/secret.ts';
import type { Logger } from '../util/log.ts';
import { readFileIfThere } from '../util/private-file.ts';
import type { CredentialPlugin } from './credential-plugin.ts';
import { DockerConfigError, type DockerConfigFormat, parseDockerConfig, type RegistryLogin } from './docker-config.ts';
import { type LoginsOf, matchingCredentials, type PullCredential } from './keyring.ts';

export interface PullCredentialsOptions {
  /** The node's Docker configurations: the first that is there and can be read counts. */
  readonly dockerConfigPaths: readonly string[];
  /** In the order in which they were configured. */
  readonly plugins: readonly Pick<CredentialPlugin, 'logins'>[];
  readonly logger: Logger;
  /** The Secret of a namespace, as it is stored now. */
  secret(namespace: string, name: string): Secret | undefined;
  /** Called with the names of a pod's `imagePullSecrets` that give nothing. */
  onMissingSecrets(pod: Pod, names: readonly string[]): void;
}

/** Where each type of Secret has its configuration, and as what. */
const secretKeys: Readonly<Record<string, readonly [key: string, format: DockerConfigFormat]>> = {
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson', 'config.json'],
  'kubernetes.io/dockercfg': ['.dockercfg', '.dockercfg'],
};

/** What pulls may be tried with: first the pod's Secrets, then what the node has, then its plugins' answers. */
export class PullCredentials {
  readonly #options: PullCredentialsOptions;

  constructor(options: PullCredentialsOptions) {
    this.#options = options;
  }

  /** In the order in which they are to be tried. All is read anew: what was changed counts at once. */
  async lookup(pod: Pod, repository: string): Promise<PullCredential[]> {
    const ofSecrets = this.#secretLogins(pod);
    const ofNode = { source: undefined, logins: this.#nodeLogins() };
    const answers = await Promise.all(this.#options.plugins.map((plugin) => plugin.logins(repository)));
    const ofPlugins = { source: undefined, logins: answers.flat() };
    return [ofSecrets, [ofNode], [ofPlugins]].flatMap((logins) => matchingCredentials(logins, repository));
  }

  #secretLogins(pod: Pod): LoginsOf[] {
    const found: LoginsOf[] = [];
    const missing: string[] = [];
    for (const { name } of pod.spec.imagePullSecrets ?? []) {
      if (!name) continue;
      const secret = this.#options.secret(pod.metadata.namespace ?? '', name);
      const logins = secret && loginsOf(secret);
      if (secret && logins) found.push({ source: sourceOf(secret), logins });
      else missing.push(name);
    }
    if (missing.length > 0) this.#options.onMissingSecrets(pod, missing);
    return found;
  }

  #nodeLogins(): readonly RegistryLogin[] {
    for (const path of this.#options.dockerConfigPaths) {
      const text = this.#read(path);
      const logins =
        text === undefined ? undefined : parse(text, path.endsWith('.dockercfg') ? '.dockercfg' : 'config.json');
      if (typeof logins === 'object') return logins;
      if (logins !== undefined) this.#options.logger.warn({ path }, `a Docker configuration is passed over: ${logins}`);
    }
    return [];
  }

  #read(path: string): string | undefined {
    try {
      return readFileIfThere(path);
    } catch (error) {
      this.#options.logger.warn({ err: error, path }, 'a Docker configuration could not be read');
      return undefined;
    }
  }
}

function sourceOf({ metadata: { namespace, name, uid = '' } }: Secret): NonNullable<LoginsOf['source']> {
  return { namespace, name, uid };
}

/** Undefined for a Secret that is wrong; none of one of another type, as a kubelet takes it. */
function loginsOf({ type = '', data = {} }: Secret): readonly RegistryLogin[] | undefined {
  const [key, format] = (Object.hasOwn(secretKeys, type) ? secretKeys[type] : undefined) ?? [];
  if (key === undefined || format === undefined || !Object.hasOwn(data, key)) return [];
  const logins = parse(Buffer.from(data[key] ?? '', 'base64').toString(), format);
  return typeof logins === 'string' ? undefined : logins;
}

/** A text: why it is wrong. */
function parse(text: string, format: DockerConfigFormat): readonly RegistryLogin[] | string {
  try {
    return parseDockerConfig(text, format);
  } catch (error) {
    if (error instanceof DockerConfigError) return error.message;
    throw error;
  }
}
