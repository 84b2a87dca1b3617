import type { Container, Pod, ResourceFieldSelector } from './pod.ts';
import { allContainers } from './pod-validation/annotations.ts';
import { splitSubscript } from './pod-validation/env.ts';
import { cpuMilli, quantityNumber } from './quantity.ts';

/** What a pod is told of itself, in variables and in files. PURE. */

/** What it cannot tell by itself. */
export interface DownwardFacts {
  readonly podIPs: readonly string[];
  readonly hostIPs: readonly string[];
  readonly nodeName: string;
  /** What "unlimited" means here: the node's allocatable, as quantities. */
  readonly allocatable: Readonly<Record<string, string>>;
}

/** The value of a field such as `metadata.name` or `metadata.labels['app']`; undefined for one that cannot be told. */
export function podFieldValue({ metadata, spec }: Pod, path: string, facts: DownwardFacts): string | undefined {
  const subscript = splitSubscript(path);
  if (subscript) {
    const map = mapAt(metadata, subscript.path);
    return map && (Object.hasOwn(map, subscript.key) ? (map[subscript.key] ?? '') : '');
  }
  switch (path) {
    case 'metadata.name':
      return metadata.name;
    case 'metadata.namespace':
      return metadata.namespace;
    case 'metadata.uid':
      return metadata.uid;
    case 'metadata.labels':
    case 'metadata.annotations':
      return formatMap(mapAt(metadata, path) ?? {});
    case 'spec.nodeName':
      return facts.nodeName;
    case 'spec.serviceAccountName':
      return spec.serviceAccountName ?? '';
    case 'status.podIP':
      return facts.podIPs[0] ?? '';
    case 'status.podIPs':
      return facts.podIPs.join(',');
    case 'status.hostIP':
      return facts.hostIPs[0] ?? '';
    case 'status.hostIPs':
      return facts.hostIPs.join(',');
    default:
      return undefined;
  }
}

/** A container of the pod, of whatever kind. */
export function containerNamed(pod: Pod, name: string): Container | undefined {
  const found = allContainers(pod.spec, 'spec').find(([container]) => container.name === name);
  return found?.[0] as Container | undefined;
}

/**
 * A request or limit in units of the divisor, rounded up (pkg/api/v1/resource/helpers.go); undefined for what is no
 * resource of a container.
 */
export function resourceFieldValue(
  { resources }: Pick<Container, 'resources'>,
  { resource: path, divisor }: Pick<ResourceFieldSelector, 'resource' | 'divisor'>,
  allocatable: Readonly<Record<string, string>>,
): string | undefined {
  const match = /^(limits|requests)\.(cpu|memory|ephemeral-storage|hugepages-\w+)$/.exec(path);
  const kind = match?.[1];
  const resource = match?.[2];
  if (!kind || !resource) return undefined;
  const own = (kind === 'limits' ? resources?.limits : resources?.requests) ?? {};
  const quantity = own[resource] ?? (kind === 'limits' ? allocatable[resource] : undefined) ?? '0';
  const unit = divisor === undefined || String(divisor) === '0' ? '1' : String(divisor);
  const ratio =
    resource === 'cpu' ? cpuMilli(quantity) / cpuMilli(unit) : quantityNumber(quantity) / quantityNumber(unit);
  return String(Math.ceil(ratio));
}

function mapAt({ labels, annotations }: Pod['metadata'], path: string): Readonly<Record<string, string>> | undefined {
  if (path === 'metadata.labels') return labels ?? {};
  return path === 'metadata.annotations' ? (annotations ?? {}) : undefined;
}

/** `key="value"` for each, sorted, the values quoted as Go quotes them: one line each, whatever is in them. */
function formatMap(map: Readonly<Record<string, string>>): string {
  return Object.entries(map)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${quoted(value)}`)
    .join('\n');
}

const shortEscapes: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\u0007': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
};

/** Go's strconv.Quote: what cannot be printed is escaped, and so are spaces other than the common one. */
function quoted(text: string): string {
  const escaped = text.replaceAll(/["\\]|(?! )[\p{C}\p{Z}]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    const hex = (digits: number) => code.toString(16).padStart(digits, '0');
    if (Object.hasOwn(shortEscapes, character)) return shortEscapes[character] ?? '';
    if (code < 0x80) return `\\x${hex(2)}`;
    return code < 0x10000 ? `\\u${hex(4)}` : `\\U${hex(8)}`;
  });
  return `"${escaped}"`;
}
