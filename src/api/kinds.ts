import { configMapKind as configMap } from './config-map-kind.ts';
import { endpointSliceKind as endpointSlice } from './endpoint-slice-kind.ts';
import { endpointsKind as endpoints } from './endpoints-kind.ts';
import { eventKind as event } from './event-kind.ts';
import { eventV1Kind as eventV1 } from './events-v1-kind.ts';
import type { KindDefinition } from './kind.ts';
import { leaseKind as lease } from './lease-kind.ts';
import type { KubeObject } from './meta.ts';
import { namespaceKind as namespace } from './namespace-kind.ts';
import { nodeKind as node } from './node-kind.ts';
import { persistentVolumeClaimKind as persistentVolumeClaim } from './persistent-volume-claim-kind.ts';
import { persistentVolumeKind as persistentVolume } from './persistent-volume-kind.ts';
import { podDisruptionBudgetKind as podDisruptionBudget } from './pod-disruption-budget-kind.ts';
import { createPodKind, type PodKindOptions } from './pod-kind.ts';
import { priorityClassKind as priorityClass } from './priority-class-kind.ts';
import { clusterRoleBindingKind, clusterRoleKind, roleBindingKind, roleKind } from './rbac/rbac-kinds.ts';
import { runtimeClassKind as runtimeClass } from './runtime-class-kind.ts';
import { secretKind as secret } from './secret-kind.ts';
import { serviceAccountKind as serviceAccount } from './service-account-kind.ts';
import { serviceKind as service } from './service-kind.ts';
import { storageClassKind as storageClass } from './storage-class-kind.ts';

/** The kinds that this daemon serves. */

const strictest: PodKindOptions = { allowPrivileged: false, hasAppArmor: false, hasSELinux: false };

export const podKind = createPodKind(strictest);
export const nodeKind = node;
export const namespaceKind = namespace;
export const eventKind = event;
export const configMapKind = configMap;
export const secretKind = secret;
export const serviceAccountKind = serviceAccount;
export const runtimeClassKind = runtimeClass;
export const serviceKind = service;
export const endpointSliceKind = endpointSlice;
export const endpointsKind = endpoints;
export const priorityClassKind = priorityClass;
export const leaseKind = lease;
export const eventV1Kind = eventV1;
export const podDisruptionBudgetKind = podDisruptionBudget;
export const persistentVolumeKind = persistentVolume;
export const persistentVolumeClaimKind = persistentVolumeClaim;
export const storageClassKind = storageClass;

/** All kinds, with what the configuration and the host allow pods to have. */
export function kindsFor(options: PodKindOptions): readonly KindDefinition<KubeObject>[] {
  const pod = createPodKind(options);
  return [
    pod,
    node,
    namespace,
    event,
    configMap,
    secret,
    serviceAccount,
    runtimeClass,
    service,
    endpointSlice,
    endpoints,
    priorityClass,
    lease,
    eventV1,
    roleKind,
    roleBindingKind,
    clusterRoleKind,
    clusterRoleBindingKind,
    podDisruptionBudget,
    persistentVolume,
    persistentVolumeClaim,
    storageClass,
  ] as readonly KindDefinition<KubeObject>[];
}

/** All kinds with the strictest options. */
export const kinds = kindsFor(strictest);

export function findKind(group: string, version: string, plural: string): KindDefinition<KubeObject> | undefined {
  return kinds.find((kind) => kind.group === group && kind.version === version && kind.plural === plural);
}
