import type { KindDefinition } from '../api/kind.ts';
import type { KubeObject } from '../api/meta.ts';
import { fileAnnotation, sourceAnnotation } from './static-pod.ts';

/** An object that is no pod, such as a ConfigMap, that a manifest file asks for. */
export interface StaticObject {
  readonly kind: KindDefinition<KubeObject>;
  /** Checked and with its defaults; without uid and creationTimestamp, which it gets when it is stored. */
  readonly object: KubeObject;
  /** Name of the file in the manifest directory. */
  readonly file: string;
}

/**
 * The object's own UID. Who copies an object with its annotations makes one that the manifest directory does not rule
 * over.
 */
export const staticObjectUidAnnotation = 'mini-kubelet.io/static-object-uid';

/** Whether a stored object is one that was made from a manifest. */
export function isStaticObject({ metadata }: KubeObject): boolean {
  const { annotations = {}, uid } = metadata;
  return annotations[sourceAnnotation] === 'file' && annotations[staticObjectUidAnnotation] === uid;
}

/** `configmap default/settings`: as messages name it, and unique. */
export function objectName({ singular }: KindDefinition<KubeObject>, { metadata }: KubeObject): string {
  return `${singular} ${metadata.namespace === undefined ? '' : `${metadata.namespace}/`}${metadata.name}`;
}

/** What says that an object is of a file. `uid`: the one that it has in the store. */
export function staticAnnotations(file: string, uid: string): Record<string, string> {
  return { [sourceAnnotation]: 'file', [fileAnnotation]: file, [staticObjectUidAnnotation]: uid };
}
