/** Longer ones are not looked at: no registry has them. */
const MAX_LENGTH = 4096;
const MAX_REPOSITORY_LENGTH = 255;
const DEFAULT_REGISTRY = 'docker.io';

const label = '[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?';
const registry = `(?:${label}(?:\\.${label})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?`;
const component = '[a-z0-9]+(?:(?:\\.|__?|-+)[a-z0-9]+)*';
const digestAlgorithm = '[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*';
const reference = new RegExp(
  `^(?<repository>${registry}/${component}(?:/${component})*)(?::\\w[\\w.-]{0,127})?(?:@${digestAlgorithm}:[0-9a-fA-F]{32,})?$`,
);

/**
 * Why a text can name no image, or undefined when it can: the rules and words of `ParseNormalizedNamed` in
 * github.com/distribution/reference, which kubelets and runtimes use. PURE.
 */
export function imageNameProblem(image: string): string | undefined {
  const parsed = parse(image);
  return 'problem' in parsed ? parsed.problem : undefined;
}

/**
 * The repository of an image with its registry, without tag and digest: `docker.io/library/busybox` of `busybox:1`.
 * Undefined for what names no image. PURE.
 */
export function imageRepository(image: string): string | undefined {
  const parsed = parse(image);
  return 'problem' in parsed ? undefined : parsed.repository;
}

function parse(image: string): { readonly problem: string } | { readonly repository: string } {
  if (/^[a-f0-9]{64}$/.test(image)) {
    return { problem: `invalid repository name (${image}), cannot specify 64-byte hexadecimal strings` };
  }
  if (image.length > MAX_LENGTH) return { problem: 'invalid reference format' };
  const [host, path] = splitRegistry(image);
  const repository = path.split(':', 1)[0] ?? '';
  if (repository !== repository.toLowerCase()) {
    return { problem: 'invalid reference format: repository name must be lowercase' };
  }
  const found = reference.exec(`${host}/${path}`)?.groups?.repository;
  if (found === undefined) return { problem: 'invalid reference format' };
  if (found.length > MAX_REPOSITORY_LENGTH) return { problem: 'repository name must not be more than 255 characters' };
  return { repository: found };
}

/** What stands before the first slash is a registry when it looks like a host: `a/b` is a repository of the default one. */
function splitRegistry(image: string): [registry: string, path: string] {
  const slash = image.indexOf('/');
  const first = image.slice(0, Math.max(slash, 0));
  const isHost = slash >= 0 && (/[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase());
  const [host, path] = isHost ? [first, image.slice(slash + 1)] : [DEFAULT_REGISTRY, image];
  if (host !== DEFAULT_REGISTRY && host !== 'index.docker.io') return [host, path];
  return [DEFAULT_REGISTRY, path.includes('/') ? path : `library/${path}`];
}
