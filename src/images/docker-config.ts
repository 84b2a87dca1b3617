/** One entry of a Docker configuration: who to be at a registry. */
export interface RegistryLogin {
  /** As it was written: `registry.test`, `https://registry.test/v1/`, `*.registry.test:5000/team`. */
  readonly location: string;
  readonly username: string;
  readonly password: string;
}

/** The text is not what it should be. Neither it nor a part of it is in the message. */
export class DockerConfigError extends Error {
  constructor(what: string) {
    super(what);
    this.name = 'DockerConfigError';
  }
}

/** `config.json` has its entries below `auths`, the older `.dockercfg` has nothing else. */
export type DockerConfigFormat = 'config.json' | '.dockercfg';

/**
 * Reads the credentials of a Docker configuration, with the rules of a kubelet (pkg/credentialprovider/config.go): one wrong
 * entry makes all of it wrong; helpers, tokens and headers are passed over. PURE.
 *
 * @throws DockerConfigError
 */
export function parseDockerConfig(text: string, format: DockerConfigFormat): RegistryLogin[] {
  const whole = asMap(parseJson(text), 'the configuration');
  const auths = format === '.dockercfg' ? whole : asMap(Object.hasOwn(whole, 'auths') ? whole.auths : {}, 'auths');
  return Object.entries(auths).map(([location, entry]) => toLogin(location, asMap(entry, 'an entry')));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // What the parser says repeats a part of the text.
    if (error instanceof SyntaxError) throw new DockerConfigError('it is no JSON');
    throw error;
  }
}

function asMap(value: unknown, what: string): Record<string, unknown> {
  if (value === null || value === undefined) return {};
  if (typeof value !== 'object' || Array.isArray(value)) throw new DockerConfigError(`${what} must be a JSON object`);
  return value as Record<string, unknown>;
}

function toLogin(location: string, entry: Readonly<Record<string, unknown>>): RegistryLogin {
  const field = (name: string): string => {
    const value = (Object.hasOwn(entry, name) ? entry[name] : '') ?? '';
    if (typeof value !== 'string') throw new DockerConfigError(`${name} of an entry must be a text`);
    return value;
  };
  const [username, password, auth] = [field('username'), field('password'), field('auth')];
  return { location, ...(auth === '' ? { username, password } : decodeAuth(auth)) };
}

/** `auth` is base64 of `username:password`, with or without its padding. */
function decodeAuth(auth: string): Pick<RegistryLogin, 'username' | 'password'> {
  const base64 = auth.replace(/[\r\n]/g, '');
  const isPadded = base64.endsWith('=');
  const isRight =
    /^[A-Za-z0-9+/]*={0,2}$/.test(base64) && (isPadded ? base64.length % 4 === 0 : base64.length % 4 !== 1);
  const decoded = Buffer.from(base64, 'base64').toString();
  const colon = decoded.indexOf(':');
  if (!isRight || colon < 0) throw new DockerConfigError('auth of an entry must be base64 of username:password');
  return { username: decoded.slice(0, colon), password: decoded.slice(colon + 1) };
}
