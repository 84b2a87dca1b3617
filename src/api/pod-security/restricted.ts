import type { Pod } from '../pod.ts';
import { procMount, seccompProfile } from './baseline.ts';
import {
  type AnyContainer,
  type Check,
  type CheckVersion,
  everyContainer,
  hasUserNamespace,
  isWindows,
  namesOf,
  plural,
  podAndContainers,
  quoted,
  sortedSet,
  theContainers,
  type Violation,
} from './check.ts';

/** What the level restricted asks for besides baseline: hardening by what is known to be good practice. */

const volumeTypes = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'image',
  'persistentVolumeClaim',
  'projected',
  'secret',
];

/** In the order in which violations are told. */
export const restrictedChecks: readonly Check[] = [
  {
    id: 'allowPrivilegeEscalation',
    versions: [{ since: 8, check: privilegeEscalation }, ofLinux(privilegeEscalation)],
  },
  {
    id: 'capabilities_restricted',
    overrides: 'capabilities_baseline',
    versions: [{ since: 22, check: droppedCapabilities }, ofLinux(droppedCapabilities)],
  },
  { id: 'procMount_restricted', overrides: 'procMount', versions: [{ since: 35, check: procMount }] },
  { id: 'restrictedVolumes', overrides: 'hostPathVolumes', versions: [{ since: 0, check: restrictedVolumes }] },
  { id: 'runAsNonRoot', versions: [{ since: 0, check: runAsNonRoot }, ofHostUsers(runAsNonRoot)] },
  { id: 'runAsUser', versions: [{ since: 23, check: runAsUser }, ofHostUsers(runAsUser)] },
  {
    id: 'seccompProfile_restricted',
    overrides: 'seccompProfile_baseline',
    versions: [{ since: 19, check: requiredSeccompProfile }, ofLinux(requiredSeccompProfile)],
  },
];

function ofLinux(check: CheckVersion['check']): CheckVersion {
  return { since: 25, check: (pod) => (isWindows(pod) ? undefined : check(pod)) };
}

function ofHostUsers(check: CheckVersion['check']): CheckVersion {
  return { since: 35, check: (pod) => (hasUserNamespace(pod) ? undefined : check(pod)) };
}

function privilegeEscalation(pod: Pod): Violation | undefined {
  const bad = namesOf(pod, ({ securityContext }) => securityContext?.allowPrivilegeEscalation !== false);
  if (bad.length === 0) return undefined;
  return {
    reason: 'allowPrivilegeEscalation != false',
    detail: `${theContainers(bad)} must set securityContext.allowPrivilegeEscalation=false`,
  };
}

function droppedCapabilities(pod: Pod): Violation | undefined {
  const keeping = namesOf(pod, ({ securityContext }) => !securityContext?.capabilities?.drop?.includes('ALL'));
  const added = ({ securityContext }: AnyContainer) =>
    (securityContext?.capabilities?.add ?? []).filter((name) => name !== 'NET_BIND_SERVICE');
  const adding = namesOf(pod, (container) => added(container).length > 0);
  const names = quoted(sortedSet(everyContainer(pod).flatMap(added)));
  const details = [
    ...(keeping.length > 0 ? [`${theContainers(keeping)} must set securityContext.capabilities.drop=["ALL"]`] : []),
    ...(adding.length > 0
      ? [`${theContainers(adding)} must not include ${names} in securityContext.capabilities.add`]
      : []),
  ];
  if (details.length === 0) return undefined;
  return { reason: 'unrestricted capabilities', detail: details.join('; ') };
}

function restrictedVolumes({ spec }: Pod): Violation | undefined {
  // A volume without a source is an emptyDir.
  const typeOf = ({ name: _, ...sources }: { readonly name: string }) => {
    const [type = 'emptyDir'] = Object.entries(sources).find(([, source]) => source !== undefined) ?? [];
    return type;
  };
  const bad = (spec.volumes ?? []).filter((volume) => !volumeTypes.includes(typeOf(volume)));
  if (bad.length === 0) return undefined;
  const types = sortedSet(bad.map(typeOf));
  const use = bad.length === 1 ? 'uses' : 'use';
  const volumes = `${plural('volume', bad)} ${quoted(bad.map(({ name }) => name))}`;
  return {
    reason: 'restricted volume types',
    detail: `${volumes} ${use} ${plural('restricted volume type', types)} ${quoted(types)}`,
  };
}

function runAsNonRoot(pod: Pod): Violation | undefined {
  const reason = 'runAsNonRoot != true';
  const ofPod = pod.spec.securityContext?.runAsNonRoot;
  const bad = namesOf(pod, ({ securityContext }) => securityContext?.runAsNonRoot === false);
  const setters = podAndContainers(ofPod === false, bad);
  if (setters !== '') return { reason, detail: `${setters} must not set securityContext.runAsNonRoot=false` };
  const silent = ofPod ? [] : namesOf(pod, ({ securityContext }) => securityContext?.runAsNonRoot === undefined);
  if (silent.length === 0) return undefined;
  return { reason, detail: `pod or ${theContainers(silent)} must set securityContext.runAsNonRoot=true` };
}

function runAsUser(pod: Pod): Violation | undefined {
  const bad = namesOf(pod, ({ securityContext }) => securityContext?.runAsUser === 0);
  const setters = podAndContainers(pod.spec.securityContext?.runAsUser === 0, bad);
  return setters === '' ? undefined : { reason: 'runAsUser=0', detail: `${setters} must not set runAsUser=0` };
}

/** As in baseline, and one must be named. */
function requiredSeccompProfile(pod: Pod): Violation | undefined {
  const bad = seccompProfile(pod);
  if (bad || pod.spec.securityContext?.seccompProfile) return bad;
  const silent = namesOf(pod, ({ securityContext }) => !securityContext?.seccompProfile);
  if (silent.length === 0) return undefined;
  const types = '"RuntimeDefault" or "Localhost"';
  return {
    reason: 'seccompProfile',
    detail: `pod or ${theContainers(silent)} must set securityContext.seccompProfile.type to ${types}`,
  };
}
