import { LabelSelectorSchema } from '../meta.ts';
import { atomicList, coreObject, int32, int64, oneOf, opt, ptr, str } from '../schema.ts';

/** Where a pod may run, and with whom. */

export const NodeSelectorRequirementSchema = coreObject('NodeSelectorRequirement', {
  key: str(),
  operator: oneOf(['In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt', 'Lt']),
  values: opt(atomicList(str())),
});

export const NodeSelectorTermSchema = coreObject(
  'NodeSelectorTerm',
  {
    matchExpressions: opt(atomicList(NodeSelectorRequirementSchema)),
    matchFields: opt(atomicList(NodeSelectorRequirementSchema)),
  },
  { atomic: true },
);

export const NodeSelectorSchema = coreObject(
  'NodeSelector',
  {
    nodeSelectorTerms: atomicList(NodeSelectorTermSchema),
  },
  { atomic: true },
);

export const PreferredSchedulingTermSchema = coreObject('PreferredSchedulingTerm', {
  weight: int32(),
  preference: NodeSelectorTermSchema,
});

export const NodeAffinitySchema = coreObject('NodeAffinity', {
  requiredDuringSchedulingIgnoredDuringExecution: opt(NodeSelectorSchema),
  preferredDuringSchedulingIgnoredDuringExecution: opt(atomicList(PreferredSchedulingTermSchema)),
});

export const PodAffinityTermSchema = coreObject('PodAffinityTerm', {
  labelSelector: opt(LabelSelectorSchema),
  namespaces: opt(atomicList(str())),
  topologyKey: str(),
  namespaceSelector: opt(LabelSelectorSchema),
  matchLabelKeys: opt(atomicList(str())),
  mismatchLabelKeys: opt(atomicList(str())),
});

export const WeightedPodAffinityTermSchema = coreObject('WeightedPodAffinityTerm', {
  weight: int32(),
  podAffinityTerm: PodAffinityTermSchema,
});

export const PodAffinitySchema = coreObject('PodAffinity', {
  requiredDuringSchedulingIgnoredDuringExecution: opt(atomicList(PodAffinityTermSchema)),
  preferredDuringSchedulingIgnoredDuringExecution: opt(atomicList(WeightedPodAffinityTermSchema)),
});

export const PodAntiAffinitySchema = coreObject('PodAntiAffinity', {
  requiredDuringSchedulingIgnoredDuringExecution: opt(atomicList(PodAffinityTermSchema)),
  preferredDuringSchedulingIgnoredDuringExecution: opt(atomicList(WeightedPodAffinityTermSchema)),
});

export const AffinitySchema = coreObject('Affinity', {
  nodeAffinity: opt(NodeAffinitySchema),
  podAffinity: opt(PodAffinitySchema),
  podAntiAffinity: opt(PodAntiAffinitySchema),
});

export const TolerationSchema = coreObject('Toleration', {
  key: opt(str()),
  operator: opt(oneOf(['Exists', 'Equal', 'Lt', 'Gt'])),
  value: opt(str()),
  effect: opt(oneOf(['NoSchedule', 'PreferNoSchedule', 'NoExecute'])),
  tolerationSeconds: ptr(int64()),
});

export const TopologySpreadConstraintSchema = coreObject('TopologySpreadConstraint', {
  maxSkew: int32(),
  topologyKey: str(),
  whenUnsatisfiable: oneOf(['DoNotSchedule', 'ScheduleAnyway']),
  labelSelector: opt(LabelSelectorSchema),
  minDomains: ptr(int32()),
  nodeAffinityPolicy: ptr(oneOf(['Ignore', 'Honor'])),
  nodeTaintsPolicy: ptr(oneOf(['Ignore', 'Honor'])),
  matchLabelKeys: opt(atomicList(str())),
});

export const PodSchedulingGateSchema = coreObject('PodSchedulingGate', {
  name: str(),
});

export const PodSchedulingGroupSchema = coreObject('PodSchedulingGroup', {
  podGroupName: ptr(str()),
});
