import { createHash } from 'node:crypto';
import type { Pod } from '../api/pod.ts';
import type { StaticObject } from './static-object.ts';

/** A pod that a manifest file asks for. */
export interface StaticPod {
  /** Checked and with its defaults; without uid and creationTimestamp, which it gets when it is stored. */
  readonly pod: Pod;
  /** Name of the file in the manifest directory. */
  readonly file: string;
  /** Changes when the manifest does. */
  readonly hash: string;
}

/** What the manifest directory asks for. */
export interface DesiredPods {
  readonly pods: readonly StaticPod[];
  readonly objects: readonly StaticObject[];
  /** Files that could not be read so far: what is stored of them from before is to stay as it is. */
  readonly unreadFiles: ReadonlySet<string>;
}

/** As a kubelet's. */
export const sourceAnnotation = 'kubernetes.io/config.source';
export const hashAnnotation = 'kubernetes.io/config.hash';
export const seenAnnotation = 'kubernetes.io/config.seen';
/** The manifest's file name. */
export const fileAnnotation = 'mini-kubelet.io/manifest';
/**
 * The pod's own UID. Who copies a static pod with its annotations makes a pod that has another one, and so one that the
 * manifest directory does not rule over.
 */
export const staticUidAnnotation = 'mini-kubelet.io/static-pod-uid';

/** Whether a stored pod is one that was made from a manifest. */
export function isStaticPod({ metadata }: Pod): boolean {
  const { annotations = {}, uid } = metadata;
  return annotations[sourceAnnotation] === 'file' && annotations[staticUidAnnotation] === uid;
}

export function fullName({ metadata }: Pod): string {
  return `${metadata.namespace}/${metadata.name}`;
}

/**
 * Names a manifest: the same for the same content (however it is laid out), file and node, so that a daemon that
 * starts again finds its pods unchanged.
 */
export function manifestHash(document: unknown, file: string, nodeName: string): string {
  return createHash('sha256')
    .update(canonicalJson([nodeName, file, document]))
    .digest('hex')
    .slice(0, 32);
}

/** A UID that follows from the hash, in the form of a version 8 UUID (RFC 9562). */
export function uidOfHash(hash: string): string {
  const [a, b, c, d, e] = [
    hash.slice(0, 8),
    hash.slice(8, 12),
    hash.slice(13, 16),
    hash.slice(17, 20),
    hash.slice(20, 32),
  ];
  return `${a}-${b}-8${c}-8${d}-${e}`;
}

function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`).join(',')}}`;
}
