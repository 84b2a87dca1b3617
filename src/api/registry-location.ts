/** What a credential is for: a registry, or a part of one. */
export interface RegistryLocation {
  /** With the port where there is one; may have `*` in place of whole or parts of names between dots. */
  readonly host: string;
  /** Empty, or with a slash in front. */
  readonly path: string;
}

/**
 * Reads a place without a scheme (`registry.test:5000/team`) as Kubernetes does, with Go's rules for URLs; a user name in front
 * (`user@`), a query and a fragment do not belong to it. Undefined for what is no such place. PURE.
 */
export function parseRegistryLocation(text: string): RegistryLocation | undefined {
  if (hasControlCharacter(text)) return undefined;
  const [beforeQuery = ''] = text.split(/[?#]/, 1);
  const slash = beforeQuery.indexOf('/');
  const authority = slash < 0 ? beforeQuery : beforeQuery.slice(0, slash);
  const at = authority.lastIndexOf('@');
  if (at >= 0 && !/^[A-Za-z0-9\-._:~!$&'()*+,;=%@]*$/.test(authority.slice(0, at))) return undefined;
  const host = authority.slice(at + 1);
  const isHost = host.startsWith('[')
    ? /^\[[0-9A-Fa-f:.]+\](:[0-9]*)?$/.test(host)
    : /^[A-Za-z0-9\-._~!$&'()*+,;=<>"\u{80}-\u{10ffff}]*(:[0-9]*)?$/u.test(host);
  if (!isHost) return undefined;
  try {
    return { host, path: slash < 0 ? '' : decodeURIComponent(beforeQuery.slice(slash)) };
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

function hasControlCharacter(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code < 0x20 || code === 0x7f) return true;
  }
  return false;
}

/**
 * Whether an image's repository lies at a place (`URLsMatch` in pkg/credentialprovider/keyring.go): the same port, as many names
 * between dots of which each matches, and a path that begins as the place's does. A host is never matched by its beginning. PURE.
 */
export function isAtLocation(repository: string, location: string): boolean {
  const place = parseRegistryLocation(location);
  const target = parseRegistryLocation(repository);
  if (!place || !target) return false;
  const [placeNames, placePort] = splitHost(place.host);
  const [names, port] = splitHost(target.host);
  return (
    placePort === port &&
    placeNames.length === names.length &&
    target.path.startsWith(place.path) &&
    placeNames.every((pattern, index) => matchesGlob(pattern, names[index] ?? ''))
  );
}

function splitHost(host: string): [names: readonly string[], port: string] {
  const colon = host.endsWith(']') ? -1 : host.lastIndexOf(':');
  return colon < 0 ? [host.split('.'), ''] : [host.slice(0, colon).split('.'), host.slice(colon + 1)];
}

/** `*` stands for any text. Linear but for the product of the lengths: whoever writes Secrets chooses the pattern. */
function matchesGlob(pattern: string, text: string): boolean {
  let [at, inPattern, star, resumeAt] = [0, 0, -1, 0];
  while (at < text.length) {
    if (pattern[inPattern] === '*') {
      star = inPattern;
      resumeAt = at;
      inPattern += 1;
    } else if (pattern[inPattern] === text[at]) {
      inPattern += 1;
      at += 1;
    } else if (star >= 0) {
      inPattern = star + 1;
      resumeAt += 1;
      at = resumeAt;
    } else {
      return false;
    }
  }
  while (pattern[inPattern] === '*') inPattern += 1;
  return inPattern === pattern.length;
}
