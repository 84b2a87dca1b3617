import type { PodSpec, Volume, VolumeProjection } from '../pod.ts';
import { allContainers } from './annotations.ts';

/**
 * The plural name of an API object that the pod needs, or undefined when a node can run it by itself. A pod that
 * mirrors a manifest of a node must be one of those.
 */
export function apiObjectReference(spec: PodSpec): string | undefined {
  if (spec.serviceAccountName) return 'serviceaccounts';
  if (spec.imagePullSecrets) return 'secrets';
  for (const [container] of allContainers(spec, '')) {
    for (const { configMapRef, secretRef } of container.envFrom ?? []) {
      if (configMapRef) return 'configmaps';
      if (secretRef) return 'secrets';
    }
    for (const { valueFrom } of container.env ?? []) {
      if (valueFrom?.configMapKeyRef) return 'configmaps';
      if (valueFrom?.secretKeyRef) return 'secrets';
    }
  }
  if (spec.resourceClaims) return 'resourceclaims';
  for (const volume of spec.volumes ?? []) {
    const referenced = referenceOfVolume(volume);
    if (referenced !== undefined) return referenced;
  }
  return undefined;
}

function referenceOfVolume(volume: Volume): string | undefined {
  if (volume.configMap) return 'configmaps (via configmap volumes)';
  if (volume.secret) return 'secrets (via secret volumes)';
  if (volume.csi) return 'csidrivers (via CSI volumes)';
  if (volume.glusterfs) return 'endpoints (via glusterFS volumes)';
  if (volume.persistentVolumeClaim) return 'persistentvolumeclaims';
  if (volume.ephemeral) return 'persistentvolumeclaims (via ephemeral volumes)';
  if (volume.azureFile) return 'secrets (via azureFile volumes)';
  const secretRefs = [volume.cephfs, volume.cinder, volume.flexVolume, volume.rbd, volume.scaleIO, volume.iscsi];
  if ([...secretRefs, volume.storageos].some((source) => source?.secretRef)) return 'secrets';
  for (const source of volume.projected?.sources ?? []) {
    const referenced = referenceOfProjection(source);
    if (referenced !== undefined) return referenced;
  }
  return undefined;
}

function referenceOfProjection(source: VolumeProjection): string | undefined {
  if (source.configMap) return 'configmaps (via projected volumes)';
  if (source.secret) return 'secrets (via projected volumes)';
  if (source.serviceAccountToken) return 'serviceaccounts (via projected volumes)';
  if (source.clusterTrustBundle) return 'clustertrustbundles';
  return source.podCertificate ? 'podcertificates' : undefined;
}
