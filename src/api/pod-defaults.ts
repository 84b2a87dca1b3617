import type { Container, ContainerPort, HTTPGetAction, LifecycleHandler, Pod, Probe, Volume } from './pod.ts';
import { aggregateContainerLimits, aggregateContainerRequests, isPodLevelResource } from './pod-resources.ts';
import { formatQuantity, parseQuantity } from './quantity.ts';

/**
 * The values that Kubernetes fills in where a pod says nothing (pkg/apis/core/v1/defaults.go of 1.36), so that
 * whoever reads a stored pod need not know them. In place; a second time changes nothing.
 */

const fileMode = 0o644;

export function applyPodDefaults(pod: Pod): void {
  const { spec } = pod;
  const ordinary = [...spec.containers, ...(spec.initContainers ?? [])];
  for (const container of ordinary) {
    defaultRequestsFromLimits(container);
    if (spec.hostNetwork) for (const port of container.ports ?? []) defaultHostPort(port);
  }
  defaultPodLevelResources(pod);
  defaultSpec(pod);
  for (const volume of spec.volumes ?? []) defaultVolume(volume);
  for (const container of [...ordinary, ...(spec.ephemeralContainers ?? [])]) defaultContainer(container);
  roundResources(spec.overhead);
  roundResources(spec.resources?.limits);
  roundResources(spec.resources?.requests);
}

function defaultSpec({ spec }: Pod): void {
  spec.enableServiceLinks ??= true;
  spec.dnsPolicy ??= 'ClusterFirst';
  spec.restartPolicy ??= 'Always';
  spec.securityContext ??= {};
  spec.terminationGracePeriodSeconds ??= 30;
  spec.schedulerName ??= 'default-scheduler';
  // serviceAccount is the old name of serviceAccountName: both always say the same.
  const account = spec.serviceAccountName ?? spec.serviceAccount;
  if (account !== undefined) {
    spec.serviceAccountName = account;
    spec.serviceAccount = account;
  }
}

function defaultRequestsFromLimits(container: Container): void {
  const resources = container.resources;
  if (!resources?.limits) return;
  resources.requests = fillIn(resources.requests, Object.entries(resources.limits));
}

function defaultHostPort(port: ContainerPort): void {
  if (!port.hostPort && port.containerPort) port.hostPort = port.containerPort;
}

/**
 * Pod-level resources that are set in part: limits of huge pages come from the containers, requests from what the
 * containers request, or else from the pod's limits.
 */
function defaultPodLevelResources({ spec }: Pod): void {
  const resources = spec.resources;
  if (!resources || (isEmpty(resources.limits) && isEmpty(resources.requests))) return;

  const hugePages = [...aggregateContainerLimits(spec)].filter(
    ([name]) => name.startsWith('hugepages-') && resources.requests?.[name] === undefined,
  );
  if (hugePages.length > 0) resources.limits = fillIn(resources.limits, hugePages);

  if (isEmpty(resources.limits)) return;
  const requested = [...aggregateContainerRequests(spec)].filter(([name]) => name === 'cpu' || name === 'memory');
  const limited = Object.entries(resources.limits ?? {}).filter(([name]) => isPodLevelResource(name));
  resources.requests = fillIn(resources.requests, [...requested, ...limited]);
}

function defaultContainer(container: Container): void {
  container.imagePullPolicy ??= imageTag(container.image ?? '') === 'latest' ? 'Always' : 'IfNotPresent';
  container.terminationMessagePath ??= '/dev/termination-log';
  container.terminationMessagePolicy ??= 'File';
  container.resources ??= {};
  for (const port of container.ports ?? []) port.protocol ??= 'TCP';
  for (const variable of container.env ?? []) {
    const { fieldRef, fileKeyRef } = variable.valueFrom ?? {};
    if (fieldRef) fieldRef.apiVersion ??= 'v1';
    if (fileKeyRef) fileKeyRef.optional ??= false;
  }
  roundResources(container.resources.limits);
  roundResources(container.resources.requests);
  defaultProbe(container.livenessProbe);
  defaultProbe(container.readinessProbe);
  defaultProbe(container.startupProbe);
  defaultHandler(container.lifecycle?.postStart);
  defaultHandler(container.lifecycle?.preStop);
}

function defaultProbe(probe: Probe | undefined): void {
  if (!probe) return;
  probe.timeoutSeconds ??= 1;
  probe.periodSeconds ??= 10;
  probe.successThreshold ??= 1;
  probe.failureThreshold ??= 3;
  if (probe.grpc) probe.grpc.service ??= '';
  defaultHandler(probe);
}

function defaultHandler(handler: Pick<LifecycleHandler, 'httpGet'> | undefined): void {
  const httpGet: HTTPGetAction | undefined = handler?.httpGet;
  if (!httpGet) return;
  httpGet.path ??= '/';
  httpGet.scheme ??= 'HTTP';
}

function defaultVolume(volume: Volume): void {
  const sources = Object.keys(volume).filter((key) => key !== 'name');
  if (sources.length === 0) volume.emptyDir = {};
  if (volume.image) {
    volume.image.pullPolicy ??= imageTag(volume.image.reference ?? '') === 'latest' ? 'Always' : 'IfNotPresent';
  }
  if (volume.hostPath) volume.hostPath.type ??= '';
  if (volume.secret) volume.secret.defaultMode ??= fileMode;
  if (volume.configMap) volume.configMap.defaultMode ??= fileMode;
  if (volume.downwardAPI) {
    volume.downwardAPI.defaultMode ??= fileMode;
    for (const { fieldRef } of volume.downwardAPI.items ?? []) if (fieldRef) fieldRef.apiVersion ??= 'v1';
  }
  if (volume.projected) {
    volume.projected.defaultMode ??= fileMode;
    for (const source of volume.projected.sources) {
      for (const { fieldRef } of source.downwardAPI?.items ?? []) if (fieldRef) fieldRef.apiVersion ??= 'v1';
      if (source.serviceAccountToken) source.serviceAccountToken.expirationSeconds ??= 3600;
    }
  }
  defaultAttachedVolume(volume);
}

/** Volumes that other programs attach: the defaults are part of the API, whether or not anyone attaches them. */
function defaultAttachedVolume({ iscsi, rbd, azureDisk, scaleIO, ephemeral }: Volume): void {
  if (iscsi) iscsi.iscsiInterface ??= 'default';
  if (rbd) {
    rbd.pool ??= 'rbd';
    rbd.user ??= 'admin';
    rbd.keyring ??= '/etc/ceph/keyring';
  }
  if (azureDisk) {
    azureDisk.cachingMode ??= 'ReadWrite';
    azureDisk.kind ??= 'Shared';
    azureDisk.fsType ??= 'ext4';
    azureDisk.readOnly ??= false;
  }
  if (scaleIO) {
    scaleIO.storageMode ??= 'ThinProvisioned';
    scaleIO.fsType ??= 'xfs';
  }
  const claim = ephemeral?.volumeClaimTemplate?.spec;
  if (claim) {
    claim.volumeMode ??= 'Filesystem';
    roundResources(claim.resources?.limits);
    roundResources(claim.resources?.requests);
  }
}

/** Resources finer than a thousandth are rounded up to it. */
function roundResources(list: Record<string, string> | undefined): void {
  if (!list) return;
  const milli = 1_000_000n;
  for (const [name, text] of Object.entries(list)) {
    const { nanos, format } = parseQuantity(text);
    const rest = nanos % milli;
    if (rest !== 0n) list[name] = formatQuantity({ nanos: nanos - rest + (nanos > 0n ? milli : -milli), format });
  }
}

function fillIn(list: Record<string, string> | undefined, values: Iterable<[string, string]>): Record<string, string> {
  const result: Record<string, string> = list ?? {};
  for (const [name, value] of values) if (!Object.hasOwn(result, name)) result[name] = value;
  return result;
}

function isEmpty(list: Record<string, string> | undefined): boolean {
  return list === undefined || Object.keys(list).length === 0;
}

const imageName =
  /^(?<name>(?:[A-Za-z0-9.-]+(?::\d+)?\/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*)(?::(?<tag>[\w][\w.-]{0,127}))?(?<digest>@[\w+.-]+:[0-9a-fA-F]{32,})?$/;

/** The tag of an image name, `latest` where it has neither tag nor digest, '' where it is no image name. */
function imageTag(image: string): string {
  const groups = image.length > 4096 ? undefined : imageName.exec(image)?.groups;
  if (!groups) return '';
  return groups.tag ?? (groups.digest === undefined ? 'latest' : '');
}
