import type { ConfigMap } from './config-map.ts';
import type { Pod } from './pod.ts';
import { allContainers } from './pod-validation/annotations.ts';
import type { Secret } from './secret.ts';
import type { ServiceAccount } from './service-account.ts';

/** The ConfigMaps, Secrets and service accounts of a pod's namespace, as they are now. */
export interface ConfigSources {
  configMap(name: string): ConfigMap | undefined;
  secret(name: string): Secret | undefined;
  serviceAccount(name: string): ServiceAccount | undefined;
}

/** Names in the pod's namespace. */
export interface ConfigReferences {
  readonly configMaps: ReadonlySet<string>;
  readonly secrets: ReadonlySet<string>;
  /** The account whose token is in a volume. */
  readonly serviceAccounts: ReadonlySet<string>;
  readonly claims: ReadonlySet<string>;
}

/** PURE. The ConfigMaps, Secrets, service accounts and claims that a pod's containers and volumes are made from, whether they exist or not. */
export function configReferences({ metadata, spec }: Pod): ConfigReferences {
  const configMaps = new Set<string>();
  const secrets = new Set<string>();
  const serviceAccounts = new Set<string>();
  const claims = new Set<string>();
  const note = (names: Set<string>, name: string | undefined) => {
    if (name) names.add(name);
  };
  for (const [container] of allContainers(spec, 'spec')) {
    for (const { configMapRef, secretRef } of container.envFrom ?? []) {
      note(configMaps, configMapRef?.name);
      note(secrets, secretRef?.name);
    }
    for (const { valueFrom } of container.env ?? []) {
      note(configMaps, valueFrom?.configMapKeyRef?.name);
      note(secrets, valueFrom?.secretKeyRef?.name);
    }
  }
  for (const { name, configMap, secret, projected, persistentVolumeClaim, ephemeral } of spec.volumes ?? []) {
    note(claims, ephemeral ? `${metadata.name}-${name}` : persistentVolumeClaim?.claimName);
    note(configMaps, configMap?.name);
    note(secrets, secret?.secretName);
    for (const source of projected?.sources ?? []) {
      note(configMaps, source.configMap?.name);
      note(secrets, source.secret?.name);
      if (source.serviceAccountToken) note(serviceAccounts, spec.serviceAccountName || 'default');
    }
  }
  return { configMaps, secrets, serviceAccounts, claims };
}
