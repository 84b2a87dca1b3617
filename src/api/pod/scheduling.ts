import { LabelSelectorSchema } from '../meta.ts';
import { atomicList, coreObject, int32, int64, oneOf, opt, ptr, str } from '../schema.ts';

/** Where a pod may run, and with whom. */

export const NodeSelectorRequirementSchema = coreObject('NodeSelectorRequirement', {
  key: str('The label or field.'),
  operator: oneOf(['In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt', 'Lt'], 'In, NotIn, Exists, DoesNotExist, Gt or Lt.'),
  values: opt(atomicList(str(), 'For all but Exists and DoesNotExist.')),
});

export const NodeSelectorTermSchema = coreObject(
  'NodeSelectorTerm',
  {
    matchExpressions: opt(atomicList(NodeSelectorRequirementSchema, "What holds of the node's labels.")),
    matchFields: opt(atomicList(NodeSelectorRequirementSchema, "What holds of the node's fields: metadata.name.")),
  },
  { atomic: true },
);

export const NodeSelectorSchema = coreObject(
  'NodeSelector',
  {
    nodeSelectorTerms: atomicList(NodeSelectorTermSchema, 'One of them holds.'),
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
  key: opt(str('The taint; none with Exists: every one.')),
  operator: opt(oneOf(['Exists', 'Equal', 'Lt', 'Gt'], 'Equal (the default) or Exists.')),
  value: opt(str("The taint's value, for Equal.")),
  effect: opt(oneOf(['NoSchedule', 'PreferNoSchedule', 'NoExecute'], "The taint's effect; none: every one.")),
  tolerationSeconds: ptr(int64('How long NoExecute is tolerated.')),
});

export const TopologySpreadConstraintSchema = coreObject('TopologySpreadConstraint', {
  maxSkew: int32('By how many pods places may differ.'),
  topologyKey: str('The label that tells places apart.'),
  whenUnsatisfiable: oneOf(['DoNotSchedule', 'ScheduleAnyway'], 'DoNotSchedule or ScheduleAnyway.'),
  labelSelector: opt(LabelSelectorSchema),
  minDomains: ptr(int32('How many places there have to be.')),
  nodeAffinityPolicy: ptr(oneOf(['Ignore', 'Honor'], 'Whether nodes that the pod cannot be on count.')),
  nodeTaintsPolicy: ptr(oneOf(['Ignore', 'Honor'], 'Whether nodes with taints count.')),
  matchLabelKeys: opt(atomicList(str(), 'Labels of the pod that are added to the selector.')),
});

export const PodSchedulingGateSchema = coreObject('PodSchedulingGate', {
  name: str('Name of the gate: while there are any, the pod waits.'),
});

export const PodSchedulingGroupSchema = coreObject('PodSchedulingGroup', {
  podGroupName: ptr(str()),
});
