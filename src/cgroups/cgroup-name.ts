import type { QosClass } from '../api/qos.ts';

/**
 * Where a cgroup sits, from the root of the hierarchy: ['kubepods', 'burstable', 'pod<uid>']. Each driver spells it in
 * its own way.
 */
export type CgroupName = readonly string[];

export type CgroupDriver = 'cgroupfs' | 'systemd';

/** No `/` and no `.`, so that a uid can never name a directory elsewhere; no `_`, which is how systemd's names spell `-`. */
const UID = /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,126}[A-Za-z0-9])?$/;

/**
 * The cgroup below which every pod lives: `kubepods` under the configured parent.
 *
 * @param parent absolute, '' or '/' for the top, as KubeletConfiguration's cgroupRoot.
 * @throws Error where the parent cannot be spelled by both drivers.
 */
export function rootCgroupName(parent: string): CgroupName {
  const parts = parent.split('/').filter((part) => part !== '');
  for (const part of parts) {
    if (!/^[A-Za-z0-9][A-Za-z0-9-]*$/.test(part)) {
      throw new Error(`cgroup root ${JSON.stringify(parent)}: each part must be letters, digits and dashes`);
    }
  }
  return [...parts, 'kubepods'];
}

/** Guaranteed pods live directly below the root (pkg/kubelet/cm/pod_container_manager_linux.go). */
export function qosCgroupName(root: CgroupName, qos: QosClass): CgroupName {
  return qos === 'Guaranteed' ? root : [...root, qos.toLowerCase()];
}

/** @throws Error for a uid that is no safe file name. */
export function podCgroupName(root: CgroupName, qos: QosClass, uid: string): CgroupName {
  if (!UID.test(uid)) throw new Error(`pod uid ${JSON.stringify(uid)} cannot name a cgroup`);
  return [...qosCgroupName(root, qos), `pod${uid}`];
}

/** The path below the mount point: `/kubepods/burstable/pod<uid>`, or `/kubepods.slice/kubepods-burstable.slice/...`. */
export function cgroupPath(driver: CgroupDriver, name: CgroupName): string {
  if (driver === 'cgroupfs') return `/${name.join('/')}`;
  return name.map((_, index) => `/${sliceUnit(name.slice(0, index + 1))}`).join('');
}

/** systemd's unit name of a cgroup; `-` separates levels there, so that one within a part becomes `_`. */
export function sliceUnit(name: CgroupName): string {
  return name.length === 0 ? '-.slice' : `${name.map((part) => part.replaceAll('-', '_')).join('-')}.slice`;
}

/** What CRI's `cgroup_parent` wants: a path with cgroupfs, a unit name with systemd. */
export function criCgroupParent(driver: CgroupDriver, name: CgroupName): string {
  return driver === 'cgroupfs' ? cgroupPath(driver, name) : sliceUnit(name);
}

/** The pod that a directory directly below `parent` belongs to; undefined for any other directory. */
export function podUidOfDir(driver: CgroupDriver, parent: CgroupName, dir: string): string | undefined {
  let part = dir;
  if (driver === 'systemd') {
    const prefix = `${sliceUnit(parent).slice(0, -'.slice'.length)}-`;
    if (!dir.startsWith(prefix) || !dir.endsWith('.slice')) return undefined;
    part = dir.slice(prefix.length, -'.slice'.length).replaceAll('_', '-');
  }
  const uid = part.startsWith('pod') ? part.slice('pod'.length) : '';
  return UID.test(uid) ? uid : undefined;
}
