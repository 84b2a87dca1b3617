import type { Document } from '../api/decode/decode.ts';
import { strictDecodingMessage } from '../api/decode/strict.ts';
import { formatFieldError } from '../api/field-error.ts';
import type { KindDefinition } from '../api/kind.ts';
import type { KubeObject } from '../api/meta.ts';
import type { Pod } from '../api/pod.ts';
import { checkStructure } from '../api/structural.ts';
import type { StaticObject } from './static-object.ts';
import { fileAnnotation, hashAnnotation, manifestHash, type StaticPod, sourceAnnotation } from './static-pod.ts';

/** The node that the pods are for. */
export interface ManifestNode {
  readonly nodeName: string;
  /** With what this node allows pods to have. */
  readonly podKind: KindDefinition<Pod>;
  /** What files may have besides pods. */
  readonly objectKinds: readonly KindDefinition<KubeObject>[];
}

export interface CheckedManifest {
  readonly pods: readonly StaticPod[];
  readonly objects: readonly StaticObject[];
  /** Everything that is wrong with the document. Empty: all that is in it is right. */
  readonly problems: readonly string[];
}

/** PURE. What one document of a manifest file asks for: a Pod, a ConfigMap and the like, or a list of them. */
export function checkManifest(document: Document, file: string, node: ManifestNode): CheckedManifest {
  const { value, duplicates } = document;
  const strict = strictDecodingMessage({ format: 'yaml', duplicates, unknownFields: [], value });
  const problems = strict === undefined ? [] : [strict];
  const pods: StaticPod[] = [];
  const objects: StaticObject[] = [];
  for (const { manifest, where } of manifestsIn(value)) {
    const kind = objectKindOf(manifest, node);
    const checked: Checked = kind ? checkObject(kind, manifest, file) : checkPod(manifest, file, node);
    if (checked.pod) pods.push(checked.pod);
    if (checked.object) objects.push(checked.object);
    problems.push(...checked.problems.map((problem) => where + problem));
  }
  return { pods, objects, problems };
}

interface Checked {
  readonly pod?: StaticPod;
  readonly object?: StaticObject;
  readonly problems: readonly string[];
}

function objectKindOf(manifest: unknown, { objectKinds }: ManifestNode): KindDefinition<KubeObject> | undefined {
  if (!isObject(manifest)) return undefined;
  return objectKinds.find((kind) => kind.kind === manifest.kind && apiVersionOf(kind) === manifest.apiVersion);
}

function checkObject(kind: KindDefinition<KubeObject>, manifest: unknown, file: string): Checked {
  const { object, errors } = checkStructure<KubeObject>(kind, manifest, { fieldValidation: 'Strict' });
  if (errors.length > 0) return { problems: errors.map((error) => error.message) };
  if (kind.namespaced) object.metadata.namespace ||= 'default';
  dropSystemMetadata(object);
  kind.prepareForCreate(object);
  kind.applyDefaults(object);
  const invalid = kind.validateCreate(object);
  if (invalid.length > 0) return { problems: [...new Set(invalid.map(formatFieldError))] };
  return { object: { kind, object, file }, problems: [] };
}

/** What the store gives, and a file that was copied from there may have. */
function dropSystemMetadata({ metadata }: KubeObject): void {
  for (const field of ['uid', 'creationTimestamp', 'resourceVersion', 'deletionTimestamp', 'managedFields'] as const) {
    delete (metadata as Partial<KubeObject['metadata']>)[field];
  }
}

/** What is in a document: itself, or the items of a List or PodList. */
function manifestsIn(value: unknown): { manifest: unknown; where: string }[] {
  if (!isObject(value) || (value.kind !== 'List' && value.kind !== 'PodList') || value.apiVersion !== 'v1') {
    return [{ manifest: value, where: '' }];
  }
  const items = Array.isArray(value.items) ? value.items : [];
  // The items of a PodList may leave out what they are.
  const implied = value.kind === 'PodList' ? { apiVersion: 'v1', kind: 'Pod' } : {};
  return items.map((item, i) => ({
    manifest: isObject(item) ? { ...implied, ...item } : item,
    where: `items[${i}]: `,
  }));
}

function checkPod(manifest: unknown, file: string, { nodeName, podKind, objectKinds }: ManifestNode): Checked {
  if (!isObject(manifest)) return { problems: ['a manifest must be a map with apiVersion, kind, metadata and spec'] };
  const { apiVersion, kind } = manifest;
  if (kind !== 'Pod' || apiVersion !== 'v1') {
    const names = ['Pod (v1)', ...objectKinds.map((known) => `${known.kind} (${apiVersionOf(known)})`)].join(', ');
    return { problems: [`only these can be here: ${names}; not ${shown(kind)} (${shown(apiVersion)})`] };
  }
  const { object: pod, errors } = checkStructure<Pod>(podKind, manifest, { fieldValidation: 'Strict' });
  if (errors.length > 0) return { problems: errors.map((error) => error.message) };

  const hash = manifestHash(manifest, file, nodeName);
  podKind.prepareForCreate(pod);
  identify(pod, file, hash, nodeName);
  podKind.applyDefaults(pod);
  const invalid = podKind.validateCreate(pod);
  if (pod.spec.nodeName !== nodeName) return { problems: [`spec.nodeName: the only node here is ${nodeName}`] };
  if (invalid.length > 0) return { problems: [...new Set(invalid.map(formatFieldError))] };
  return { pod: { pod, file, hash }, problems: [] };
}

/** What makes a pod a static pod of this node (pkg/kubelet/config/common.go of Kubernetes), in place. */
function identify(pod: Pod, file: string, hash: string, nodeName: string): void {
  const { metadata, spec } = pod;
  if (metadata.name) metadata.name = `${metadata.name}-${nodeName}`;
  metadata.namespace ||= 'default';
  metadata.annotations = {
    ...metadata.annotations,
    [sourceAnnotation]: 'file',
    [hashAnnotation]: hash,
    [fileAnnotation]: file,
  };
  dropSystemMetadata(pod);
  spec.nodeName ||= nodeName;
  // A static pod belongs to its node, whatever the node's taints.
  spec.tolerations = [...(spec.tolerations ?? []), { operator: 'Exists', effect: 'NoExecute' }];
}

function apiVersionOf({ group, version }: KindDefinition<KubeObject>): string {
  return group === '' ? version : `${group}/${version}`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function shown(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : 'nothing';
}
