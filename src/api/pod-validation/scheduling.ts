import { duplicate, type ErrorSink, forbidden, invalid, notSupported, required } from '../field-error.ts';
import { checkDnsLabel, checkDnsSubdomain, checkLabelValue } from '../formats.ts';
import { addProblems, validateLabelName, validateLabelSelector } from '../meta-validation.ts';
import type {
  Affinity,
  NodeAffinity,
  NodeSelector,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  PodAffinity,
  PodAffinityTerm,
  Toleration,
  TopologySpreadConstraint,
} from '../pod.ts';

/** Node and pod affinity, tolerations, topology spread. */

const requiredTerms = 'requiredDuringSchedulingIgnoredDuringExecution';
const preferredTerms = 'preferredDuringSchedulingIgnoredDuringExecution';
const taintEffects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];
const notAnOperator = 'not a valid selector operator';

export function validateAffinity(affinity: Affinity | undefined, path: string, errors: ErrorSink): void {
  if (affinity?.nodeAffinity) validateNodeAffinity(affinity.nodeAffinity, `${path}.nodeAffinity`, errors);
  for (const kind of ['podAffinity', 'podAntiAffinity'] as const) {
    const rules: PodAffinity | undefined = affinity?.[kind];
    if (rules) validatePodAffinity(rules, `${path}.${kind}`, errors);
  }
}

export function validateTolerations(tolerations: readonly Toleration[], path: string, errors: ErrorSink): void {
  for (const [index, toleration] of tolerations.entries()) {
    const at = `${path}[${index}]`;
    const { key = '', value = '' } = toleration;
    const operator: string = toleration.operator ?? '';
    const effect: string = toleration.effect ?? '';
    if (key !== '') validateLabelName(key, `${at}.key`, errors);
    else if (operator !== 'Exists') {
      const detail = 'operator must be Exists when `key` is empty, which means "match all values and all keys"';
      errors.push(invalid(`${at}.operator`, operator, detail));
    }
    if (toleration.tolerationSeconds !== undefined && effect !== 'NoExecute') {
      const detail = "effect must be 'NoExecute' when `tolerationSeconds` is set";
      errors.push(invalid(`${at}.effect`, effect, detail));
    }
    if (operator === 'Exists') {
      if (value !== '') {
        errors.push(invalid(`${at}.operator`, value, "value must be empty when `operator` is 'Exists'"));
      }
    } else if (operator === 'Equal' || operator === '') {
      const problems = checkLabelValue(value);
      if (problems.length > 0) errors.push(invalid(`${at}.operator`, value, problems.join(';')));
    } else errors.push(notSupported(`${at}.operator`, operator, ['Equal', 'Exists']));
    if (effect !== '' && !taintEffects.includes(effect)) {
      errors.push(notSupported(`${at}.effect`, effect, taintEffects));
    }
  }
}

export function validateTopologySpread(
  constraints: readonly TopologySpreadConstraint[],
  path: string,
  errors: ErrorSink,
): void {
  const pairOf = ({ topologyKey, whenUnsatisfiable }: TopologySpreadConstraint) =>
    `{${topologyKey}, ${whenUnsatisfiable}}`;
  const lastOf = new Map(constraints.map((constraint, index) => [pairOf(constraint), index]));
  for (const [index, constraint] of constraints.entries()) {
    const at = `${path}[${index}]`;
    const { maxSkew, topologyKey, minDomains } = constraint;
    const action: string = constraint.whenUnsatisfiable;
    if (maxSkew <= 0) errors.push(invalid(`${at}.maxSkew`, maxSkew, 'must be greater than zero'));
    if (topologyKey === '') errors.push(required(`${at}.topologyKey`, 'can not be empty'));
    const actions = ['DoNotSchedule', 'ScheduleAnyway'];
    if (!actions.includes(action)) errors.push(notSupported(`${at}.whenUnsatisfiable`, action, actions));
    const pair = pairOf(constraint);
    if (lastOf.get(pair) !== index) errors.push(duplicate(`${at}.{topologyKey, whenUnsatisfiable}`, pair));
    if (minDomains !== undefined) {
      if (minDomains <= 0) errors.push(invalid(`${at}.minDomains`, minDomains, 'must be greater than zero'));
      if (action !== 'DoNotSchedule') {
        const detail = `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${action}`;
        errors.push(invalid(`${at}.minDomains`, minDomains, detail));
      }
    }
    for (const field of ['nodeAffinityPolicy', 'nodeTaintsPolicy'] as const) {
      const policy: string | undefined = constraint[field];
      const policies = ['Honor', 'Ignore'];
      if (policy !== undefined && !policies.includes(policy)) {
        errors.push(notSupported(`${at}.${field}`, policy, policies));
      }
    }
    validateLabelKeys({ ...constraint, mismatchLabelKeys: [] }, at, errors);
    validateLabelSelector(constraint.labelSelector, `${at}.labelSelector`, errors);
  }
}

function validateNodeAffinity(affinity: NodeAffinity, path: string, errors: ErrorSink): void {
  const selector = affinity[requiredTerms];
  if (selector) validateNodeSelector(selector, `${path}.${requiredTerms}`, errors);
  for (const [index, { weight, preference }] of (affinity[preferredTerms] ?? []).entries()) {
    const at = `${path}.${preferredTerms}[${index}]`;
    validateWeight(weight, at, errors);
    validateNodeSelectorTerm(preference, false, `${at}.preference`, errors);
  }
}

export function validateNodeSelector({ nodeSelectorTerms }: NodeSelector, path: string, errors: ErrorSink): void {
  const termsPath = `${path}.nodeSelectorTerms`;
  if (nodeSelectorTerms.length === 0) errors.push(required(termsPath, 'must have at least one node selector term'));
  for (const [index, term] of nodeSelectorTerms.entries()) {
    validateNodeSelectorTerm(term, true, `${termsPath}[${index}]`, errors);
  }
}

function validateWeight(weight: number, path: string, errors: ErrorSink): void {
  if (weight <= 0 || weight > 100) errors.push(invalid(`${path}.weight`, weight, 'must be in the range 1-100'));
}

function validateNodeSelectorTerm(term: NodeSelectorTerm, checkValues: boolean, path: string, errors: ErrorSink): void {
  for (const [index, requirement] of (term.matchExpressions ?? []).entries()) {
    const at = `${path}.matchExpressions[${index}]`;
    validateRequirementShape(requirement, at, errors);
    validateLabelName(requirement.key, `${at}.key`, errors);
    if (!checkValues) continue;
    for (const [valueIndex, value] of (requirement.values ?? []).entries()) {
      addProblems(errors, `${at}.values[${valueIndex}]`, value, checkLabelValue(value));
    }
  }
  for (const [index, requirement] of (term.matchFields ?? []).entries()) {
    validateFieldRequirement(requirement, `${path}.matchFields[${index}]`, errors);
  }
}

function validateRequirementShape(requirement: NodeSelectorRequirement, path: string, errors: ErrorSink): void {
  const count = requirement.values?.length ?? 0;
  switch (requirement.operator) {
    case 'In':
    case 'NotIn':
      if (count === 0) {
        errors.push(required(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
      }
      break;
    case 'Exists':
    case 'DoesNotExist':
      if (count > 0) {
        const detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
        errors.push(forbidden(`${path}.values`, detail));
      }
      break;
    case 'Gt':
    case 'Lt':
      if (count !== 1) {
        errors.push(required(`${path}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'"));
      }
      break;
    default:
      errors.push(invalid(`${path}.operator`, requirement.operator, notAnOperator));
  }
}

/** The only field of a node that can be asked for is its name. */
function validateFieldRequirement(requirement: NodeSelectorRequirement, path: string, errors: ErrorSink): void {
  const values = requirement.values ?? [];
  if (requirement.operator !== 'In' && requirement.operator !== 'NotIn') {
    errors.push(invalid(`${path}.operator`, requirement.operator, notAnOperator));
  } else if (values.length !== 1) {
    const detail = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector";
    errors.push(required(`${path}.values`, detail));
  }
  if (requirement.key !== 'metadata.name') {
    errors.push(invalid(`${path}.key`, requirement.key, 'not a valid field selector key'));
    return;
  }
  for (const [index, value] of values.entries()) {
    addProblems(errors, `${path}.values[${index}]`, value, checkDnsSubdomain(value));
  }
}

function validatePodAffinity(affinity: PodAffinity, path: string, errors: ErrorSink): void {
  for (const [index, term] of (affinity[requiredTerms] ?? []).entries()) {
    validatePodAffinityTerm(term, `${path}.${requiredTerms}[${index}]`, errors);
  }
  for (const [index, { weight, podAffinityTerm }] of (affinity[preferredTerms] ?? []).entries()) {
    const at = `${path}.${preferredTerms}[${index}]`;
    validateWeight(weight, at, errors);
    validatePodAffinityTerm(podAffinityTerm, `${at}.podAffinityTerm`, errors);
  }
}

function validatePodAffinityTerm(term: PodAffinityTerm, path: string, errors: ErrorSink): void {
  validateLabelSelector(term.labelSelector, `${path}.labelSelector`, errors);
  validateLabelSelector(term.namespaceSelector, `${path}.namespaceSelector`, errors);
  for (const name of term.namespaces ?? []) addProblems(errors, `${path}.namespace`, name, checkDnsLabel(name));
  validateLabelKeys(term, path, errors);
  if (term.topologyKey === '') errors.push(required(`${path}.topologyKey`, 'can not be empty'));
  validateLabelName(term.topologyKey, `${path}.topologyKey`, errors);
}

type LabelKeys = Pick<PodAffinityTerm, 'matchLabelKeys' | 'mismatchLabelKeys' | 'labelSelector'>;

/**
 * Keys whose value is taken from the pod's own labels. The values are already merged into the selector, so a key that
 * the selector holds a second time was put there by the author as well.
 */
function validateLabelKeys(term: LabelKeys, path: string, errors: ErrorSink): void {
  const { matchLabelKeys = [], mismatchLabelKeys = [], labelSelector } = term;
  for (const [field, keys] of Object.entries({ matchLabelKeys, mismatchLabelKeys })) {
    if (keys.length > 0 && !labelSelector) {
      errors.push(forbidden(`${path}.${field}`, 'must not be specified when labelSelector is not set'));
      continue;
    }
    for (const [index, key] of keys.entries()) validateLabelName(key, `${path}.${field}[${index}]`, errors);
  }
  const indexOf = new Map(matchLabelKeys.map((key, index) => [key, index]));
  const seen = new Set(Object.keys(labelSelector?.matchLabels ?? {}));
  for (const { key } of labelSelector?.matchExpressions ?? []) {
    const index = indexOf.get(key);
    if (index !== undefined && seen.has(key)) {
      errors.push(invalid(`${path}[${index}]`, key, 'exists in both matchLabelKeys and labelSelector'));
    }
    seen.add(key);
  }
  const mismatched = new Set(mismatchLabelKeys);
  for (const [index, key] of matchLabelKeys.entries()) {
    if (mismatched.has(key)) {
      const detail = 'exists in both matchLabelKeys and mismatchLabelKeys';
      errors.push(invalid(`${path}.matchLabelKeys[${index}]`, key, detail));
    }
  }
}
