import type { ObjectDatabase, ObjectRow } from './database.ts';

/**
 * After a power cut the last non-durable writes may be missing, though watchers have seen their numbers. The counter
 * then jumps by more than can have been lost in a second, so that no number is ever given out twice.
 */
const RESOURCE_VERSIONS_PER_BOOT = 100_000;

/** Of the entry, for each kind, that holds the resourceVersion of its latest removal: no row is left to tell it. */
const REMOVAL_PREFIX = 'removed ';

/** What is written with a removal. */
export function removalMark(kind: string, resourceVersion: number): { key: string; value: string } {
  return { key: REMOVAL_PREFIX + kind, value: String(resourceVersion) };
}

/** Where the store was left by the process before this one. */
export interface VersionHistory {
  /** Where the counter goes on. */
  readonly resourceVersion: number;
  /** The lowest resourceVersion from which a watch of the kind can go on: what changed up to there cannot be told. */
  forgottenUpTo(kind: string): number;
}

/** Finds it, and notes that it goes on from there. */
export function resumeVersionHistory(db: ObjectDatabase, rows: readonly ObjectRow[], bootId: string): VersionHistory {
  const lastChanges = lastChangesOf(rows, db.metaByPrefix(REMOVAL_PREFIX));
  const previouslyOpenedAt = Number(db.meta('resourceVersion') ?? 0);
  const last = Math.max(previouslyOpenedAt, ...lastChanges.values());
  const previousBoot = db.meta('bootId');
  const isSameBoot = previousBoot === undefined || previousBoot === bootId;
  const resourceVersion = isSameBoot ? last : last + RESOURCE_VERSIONS_PER_BOOT;
  db.setMeta('resourceVersion', String(resourceVersion));
  db.setMeta('bootId', bootId);
  // A machine that lost its power may have lost the latest changes, which watches were told: none of them can go on.
  const floor = isSameBoot ? previouslyOpenedAt : resourceVersion;
  return { resourceVersion, forgottenUpTo: (kind) => Math.max(floor, lastChanges.get(kind) ?? 0) };
}

/** The resourceVersion of the last change of each kind that has had one. */
function lastChangesOf(rows: readonly ObjectRow[], removals: ReadonlyMap<string, string>): Map<string, number> {
  const last = new Map([...removals].map(([kind, resourceVersion]) => [kind, Number(resourceVersion)]));
  for (const { kind, resourceVersion } of rows) last.set(kind, Math.max(last.get(kind) ?? 0, resourceVersion));
  return last;
}
