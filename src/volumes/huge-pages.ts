import type { Pod } from '../api/pod.ts';
import { quantityBytes } from '../api/quantity.ts';
import { type FsGroup, fsGroupMode } from './fs-group.ts';

const ANY_SIZE = 'HugePages';
const OF_SIZE = 'HugePages-';
const RESOURCE = 'hugepages-';
const VOLUME_MODE = 0o777;

/** Whether the medium of an emptyDir is huge pages, of whatever size. PURE. */
export function isHugePages(medium: string): boolean {
  return medium === ANY_SIZE || medium.startsWith(OF_SIZE);
}

/** The sizes of huge pages that a pod asks for, its containers or the pod as a whole, in bytes. PURE. */
export function hugePageSizes({ spec }: Pod): bigint[] {
  const all = [spec, ...(spec.initContainers ?? []), ...spec.containers];
  const names = all.flatMap(({ resources }) => Object.keys({ ...resources?.requests, ...resources?.limits }));
  const sizes = names
    .filter((name) => name.startsWith(RESOURCE))
    .map((name) => quantityBytes(name.slice(RESOURCE.length)));
  return [...new Set(sizes)];
}

/**
 * The size of the pages of a volume, in bytes: one that the pod asks for (getPageSizeMountOption in pkg/volume/emptydir).
 * PURE.
 */
export function pageBytes(medium: string, sizes: readonly bigint[]): bigint {
  if (medium === ANY_SIZE) {
    const [size, ...others] = sizes;
    if (size === undefined)
      throw new Error('medium HugePages: no page size found in the pod: it requests no huge pages');
    if (others.length > 0)
      throw new Error('medium HugePages can only be used with one page size: use HugePages-<size>');
    return size;
  }
  const wanted = quantityBytes(medium.slice(OF_SIZE.length));
  if (!sizes.includes(wanted)) throw new Error(`medium ${medium}: the pod requests no huge pages of this size`);
  return wanted;
}

/** Options of the mount. A kubelet leaves `sizeLimit` out. PURE. */
export function hugetlbfsOptions(size: bigint, limit: string | undefined, fsGroup: FsGroup | undefined): string[] {
  const mode = fsGroup ? fsGroupMode(VOLUME_MODE, true) : VOLUME_MODE;
  return [
    `pagesize=${size}`,
    `mode=0${mode.toString(8)}`,
    ...(fsGroup ? [`gid=${fsGroup.gid}`] : []),
    ...(limit === undefined ? [] : [`size=${quantityBytes(limit)}`]),
  ];
}
