import { randomUUID } from 'node:crypto';
import { canonical, clusterIPProblems, giveClusterIP, type ServiceNetwork } from '../../api/cluster-ip.ts';
import type { FieldError } from '../../api/field-error.ts';
import * as fieldError from '../../api/field-error.ts';
import {
  configMapKind,
  namespaceKind,
  persistentVolumeClaimKind,
  persistentVolumeKind,
  podKind,
  priorityClassKind,
  runtimeClassKind,
  serviceAccountKind,
  serviceKind,
  storageClassKind,
} from '../../api/kinds.ts';

import type { KubeObject, Status } from '../../api/meta.ts';
import type { Namespace } from '../../api/namespace.ts';
import type { PersistentVolumeClaim } from '../../api/persistent-volume-claim.ts';
import type { Pod } from '../../api/pod.ts';

import { addApiAccess } from '../../api/pod-api-access.ts';

import { applyPriorityClass } from '../../api/pod-priority.ts';

import { applyRuntimeClass } from '../../api/pod-runtime-class.ts';
import { existingPodWarnings, isSignificantChange, judgePod } from '../../api/pod-security/evaluate.ts';
import { securityPolicy } from '../../api/pod-security/policy.ts';
import { type PriorityClass, systemPriorityClasses } from '../../api/priority-class.ts';
import { rbacGroup } from '../../api/rbac/rbac.ts';
import { hasClusterIP, type Service } from '../../api/service.ts';
import { applyServiceAccount } from '../../api/service-account.ts';
import { forbidden, internalError, type StatusError } from '../../api/status-error.ts';
import { defaultClass } from '../../api/storage-class.ts';
import { removeIfReleased, removeOrMark } from '../../store/finalizers.ts';
import { checkPreconditions, type Store } from '../../store/store.ts';
import { checkGrant } from '../access/escalation.ts';
import { RbacAuthorizer } from '../access/rbac.ts';
import type { Identity } from '../identity.ts';
import type { PodOperations } from '../pod-operations.ts';
import type { AnyKind } from '../representation.ts';
import type { DeleteOptions } from '../request/delete-options.ts';
import { randomNameSuffix } from './name-suffix.ts';
import { terminating } from './namespace-deletion.ts';

import { DEFAULT_ACCOUNT, ROOT_CA } from './namespace-objects.ts';
import { viewedStore } from './viewed-store.ts';

export interface StrategyContext {
  readonly store: Store;
  readonly podOperations: PodOperations;
  /** Of the one node there is. */
  readonly nodeName: string;
  readonly serviceNetwork: () => ServiceNetwork;
  /** Whether pods that do not say, nor does their account, get their account's token. */
  readonly automountServiceAccountToken: boolean;
  /** Notes what a namespace's policy wants to have noted of a pod. */
  audit(pod: string, message: string): void;
}

/** What is special about a kind on this server, beyond its rules in api/. */
export interface Strategy<T extends KubeObject = KubeObject> {
  /**
   * Fills in what this server decides, after defaults and before validation, in place.
   *
   * @throws StatusError Forbidden.
   */
  complete(object: T): void;
  /** Further reasons to refuse a new object. */
  validate(object: T): FieldError[];
  /**
   * Whether a valid object may be stored, as far as that depends on other objects and on who asks. `current` is what it
   * replaces; to a new one this may add what the server gives out.
   *
   * @returns warnings for the client. @throws StatusError Forbidden.
   */
  admit(object: T, current: T | undefined, requester: Identity | undefined): readonly string[];
  /** Deletes, or begins to. The object exists. `now`: RFC 3339. @returns what the client gets. */
  delete(object: T, options: DeleteOptions, now: string): KubeObject | Status;
  /** After an update was stored. */
  updated?(object: T): void;
}

/** Namespaces that are always there. */
export const systemNamespaces = ['default', 'kube-system', 'kube-public', 'kube-node-lease'] as const;

export function strategyFor(kind: AnyKind, context: StrategyContext): Strategy {
  if (kind.kind === podKind.kind) return podStrategy(context) as Strategy;
  if (kind.kind === namespaceKind.kind) return namespaceStrategy(context) as Strategy;
  if (kind.kind === priorityClassKind.kind) return priorityClassStrategy(context) as Strategy;
  if (kind.kind === serviceKind.kind) return serviceStrategy(context) as Strategy;
  if (kind.kind === persistentVolumeClaimKind.kind) return claimStrategy(context) as Strategy;
  if (kind.kind === persistentVolumeKind.kind) return finalizedStrategy(kind, context);
  return {
    complete: () => {},
    validate: () => [],
    admit: (object, _current, requester) => {
      if (kind.group === rbacGroup) checkGrant(new RbacAuthorizer(context.store), requester, object);
      return [];
    },
    delete: (object, options) => remove(context.store, kind, object, options),
  };
}

function podStrategy(context: StrategyContext): Strategy<Pod> {
  const { store, podOperations, nodeName, audit, automountServiceAccountToken } = context;
  return {
    complete: (pod) => {
      pod.metadata.generation = 1;
      const { runtimeClassName } = pod.spec;
      const runtimeClass = runtimeClassName ? store.get(runtimeClassKind, undefined, runtimeClassName) : undefined;
      const problem =
        applyRuntimeClass(pod, runtimeClass) ?? applyPriorityClass(pod, store.list(priorityClassKind).items);
      if (problem !== undefined) throw forbiddenPod(pod, problem);
      pod.spec.serviceAccountName ||= DEFAULT_ACCOUNT;
      pod.spec.serviceAccount = pod.spec.serviceAccountName;
      const account = store.get(serviceAccountKind, pod.metadata.namespace, pod.spec.serviceAccountName);
      applyServiceAccount(pod, account);
      addApiAccess(pod, account, {
        byDefault: automountServiceAccountToken,
        hasAuthority: store.get(configMapKind, pod.metadata.namespace, ROOT_CA) !== undefined,
        nameSuffix: randomNameSuffix(),
      });
      pod.status = { ...pod.status, phase: 'Pending' };
    },
    validate: (pod) =>
      !pod.spec.nodeName || pod.spec.nodeName === nodeName
        ? []
        : [fieldError.invalid('spec.nodeName', pod.spec.nodeName, `the only node here is ${nodeName}`)],
    admit: (pod, current) => {
      if (current && !isSignificantChange(pod, current)) return [];
      const { namespace, name } = pod.metadata;
      if (!current) requireAccount(store, pod);
      const labels = store.get(namespaceKind, undefined, namespace ?? '')?.metadata.labels;
      const verdict = judgePod(pod, securityPolicy(labels));
      if (verdict.audit !== undefined) audit(`${namespace}/${name}`, verdict.audit);
      if (verdict.forbidden === undefined) return verdict.warning === undefined ? [] : [verdict.warning];
      throw forbiddenPod(pod, verdict.forbidden);
    },
    delete: ({ metadata }, options) =>
      podOperations.requestDelete(metadata.namespace, metadata.name, {
        gracePeriodSeconds: options.gracePeriodSeconds,
        uid: options.uid,
        resourceVersion: options.resourceVersion,
      }),
  };
}

function forbiddenPod({ metadata: { name } }: Pod, why: string): StatusError {
  return forbidden(`pods ${JSON.stringify(name)} is forbidden: ${why}`, { name, kind: podKind.plural });
}

/** @throws StatusError Forbidden. `default` is made with its namespace. */
function requireAccount(store: Store, pod: Pod): void {
  const { metadata, spec } = pod;
  const { serviceAccountName = DEFAULT_ACCOUNT } = spec;
  if (serviceAccountName === DEFAULT_ACCOUNT) return;
  if (store.get(serviceAccountKind, metadata.namespace, serviceAccountName)) return;
  const missing = `serviceaccount ${JSON.stringify(serviceAccountName)} not found`;
  const lookup = `error looking up service account ${metadata.namespace}/${serviceAccountName}: ${missing}`;
  throw forbiddenPod(pod, lookup);
}

/** For kinds whose objects stay, marked as being deleted, until their finalizers are gone. */
function finalizedStrategy(kind: AnyKind, { store }: StrategyContext): Strategy {
  return {
    complete: () => {},
    validate: () => [],
    admit: () => [],
    delete: (object, { uid, resourceVersion }, now) =>
      removeOrMark(store, kind, object, { uid, resourceVersion }, now) ?? deletedStatus(kind, object.metadata),
    updated: (object) => removeIfReleased(store, kind, object),
  };
}

function claimStrategy(context: StrategyContext): Strategy<PersistentVolumeClaim> {
  return {
    ...finalizedStrategy(persistentVolumeClaimKind as AnyKind, context),
    complete: ({ spec }) => {
      if (spec.storageClassName !== undefined) return;
      const name = defaultClass(context.store.list(storageClassKind).items)?.metadata.name;
      if (name !== undefined) spec.storageClassName = name;
    },
  };
}

function namespaceStrategy({ store }: StrategyContext): Strategy<Namespace> {
  return {
    complete: (namespace) => {
      namespace.status = { phase: 'Active' };
    },
    validate: () => [],
    admit: ({ metadata }, current) => {
      if (!current) return [];
      const { enforce } = securityPolicy(metadata.labels);
      const pods = store.list(podKind, { namespace: metadata.name }).items;
      return existingPodWarnings(metadata.name, pods, enforce, securityPolicy(current.metadata.labels).enforce);
    },
    delete: (namespace, options, now) => {
      const { name } = namespace.metadata;
      if (systemNamespaces.some((system) => system === name)) {
        throw forbidden(`namespaces ${JSON.stringify(name)} is forbidden: this namespace may not be deleted`, {
          name,
          kind: namespaceKind.plural,
        });
      }
      return store.update(namespaceKind, undefined, name, (current) => {
        checkPreconditions(namespaceKind as AnyKind, current, options);
        return terminating(current, now);
      });
    },
  };
}

function serviceStrategy({ store, serviceNetwork }: StrategyContext): Strategy<Service> {
  const usedAddresses = () =>
    new Set(store.list(serviceKind, { filter: hasClusterIP }).items.map(({ spec }) => canonical(spec.clusterIP ?? '')));
  return {
    complete: () => {},
    validate: (service) => clusterIPProblems(service, serviceNetwork(), usedAddresses()),
    admit: ({ spec }, current) => {
      if (current) return [];
      try {
        return giveClusterIP(spec, serviceNetwork(), usedAddresses(), Math.random());
      } catch (error) {
        throw internalError(`failed to allocate a serviceIP: ${error instanceof Error ? error.message : error}`);
      }
    },
    delete: (service, options) => remove(store, serviceKind as AnyKind, service, options),
  };
}

function priorityClassStrategy({ store }: StrategyContext): Strategy<PriorityClass> {
  const refuse = (name: string, why: string) =>
    forbidden(`priorityclasses.scheduling.k8s.io ${JSON.stringify(name)} is forbidden: ${why}`, {
      name,
      group: priorityClassKind.group,
      kind: priorityClassKind.plural,
    });
  return {
    complete: () => {},
    validate: () => [],
    admit: ({ metadata: { name }, globalDefault }) => {
      if (!globalDefault) return [];
      const other = store.list(priorityClassKind, {
        filter: (item) => item.globalDefault === true && item.metadata.name !== name,
      }).items[0];
      if (!other) return [];
      const why = `PriorityClass ${other.metadata.name} is already marked as default. Only one default can exist`;
      throw refuse(name, why);
    },
    delete: (priorityClass, options) => {
      const { name } = priorityClass.metadata;
      if (Object.hasOwn(systemPriorityClasses, name)) {
        throw refuse(name, 'this is a system priority class and cannot be deleted');
      }
      return remove(store, priorityClassKind as AnyKind, priorityClass, options);
    },
  };
}

function remove(store: Store, kind: AnyKind, { metadata }: KubeObject, options: DeleteOptions): Status {
  viewedStore(store).delete(kind, metadata.namespace, metadata.name, {
    uid: options.uid,
    resourceVersion: options.resourceVersion,
  });
  return deletedStatus(kind, metadata);
}

export function deletedStatus(kind: AnyKind, { name, uid }: KubeObject['metadata']): Status {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: { name, ...(kind.group === '' ? {} : { group: kind.group }), kind: kind.plural, uid },
  };
}

/** Makes the namespaces that a cluster always has, where they are missing. `now`: RFC 3339. */
export function ensureSystemNamespaces(store: Store, now: string): void {
  for (const name of systemNamespaces) {
    if (store.get(namespaceKind, undefined, name)) continue;
    const namespace: Namespace = {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, uid: randomUUID(), creationTimestamp: now },
      spec: { finalizers: ['kubernetes'] },
      status: { phase: 'Active' },
    };
    namespaceKind.applyDefaults(namespace);
    store.create(namespaceKind, namespace);
  }
}

/** Makes the priority classes that a cluster always has, where they are missing. `now`: RFC 3339. */
export function ensureSystemPriorityClasses(store: Store, now: string): void {
  for (const [name, { value, description }] of Object.entries(systemPriorityClasses)) {
    if (store.get(priorityClassKind, undefined, name)) continue;
    const priorityClass: PriorityClass = {
      apiVersion: 'scheduling.k8s.io/v1',
      kind: 'PriorityClass',
      metadata: { name, uid: randomUUID(), creationTimestamp: now, generation: 1 },
      value,
      ...(description === undefined ? {} : { description }),
    };
    priorityClassKind.applyDefaults(priorityClass);
    store.create(priorityClassKind, priorityClass);
  }
}
