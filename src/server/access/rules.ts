import type { PolicyRule } from '../../api/rbac/rbac.ts';
import { type Attributes, isResource } from './attributes.ts';

/** What rules of roles allow, and whether they contain others. PURE. Of k8s.io/kubernetes' rbac and validation packages. */

const all = '*';

/** Whether a rule lets the request pass. */
export function allows(rule: PolicyRule, attributes: Attributes): boolean {
  if (!hasOrAll(rule.verbs, attributes.verb)) return false;
  if (!isResource(attributes)) return (rule.nonResourceURLs ?? []).some((url) => matchesPath(url, attributes.path));
  const { group, resource, subresource, name } = attributes;
  const { apiGroups = [], resources = [], resourceNames = [] } = rule;
  const combined = subresource === '' ? resource : `${resource}/${subresource}`;
  return (
    hasOrAll(apiGroups, group) &&
    (hasOrAll(resources, combined) || (subresource !== '' && resources.includes(`*/${subresource}`))) &&
    (resourceNames.length === 0 || resourceNames.includes(name))
  );
}

/** More single rights than any role has that a person writes. */
const maxSingleRights = 50_000;

/**
 * The first of the wanted rules of which a part is not held, at most five of them; none when all are held.
 *
 * @throws RangeError when the wanted rules are more single rights than can be looked at.
 */
export function missingRules(held: readonly PolicyRule[], wanted: readonly PolicyRule[]): PolicyRule[] {
  const count = wanted.reduce((sum, rule) => sum + singleRightCount(rule), 0);
  if (count > maxSingleRights) throw new RangeError(`more than ${maxSingleRights} single rights`);
  const missing: PolicyRule[] = [];
  for (const rule of wanted) {
    for (const single of singleRights(rule)) {
      if (held.some((owned) => covers(owned, single))) continue;
      missing.push(single);
      if (missing.length === 5) return missing;
    }
  }
  return missing;
}

function singleRightCount({
  verbs,
  apiGroups = [],
  resources = [],
  resourceNames = [],
  nonResourceURLs = [],
}: PolicyRule) {
  return (
    verbs.length * (apiGroups.length * resources.length * Math.max(1, resourceNames.length) + nonResourceURLs.length)
  );
}

function* singleRights(rule: PolicyRule): Generator<PolicyRule> {
  const { verbs, apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] } = rule;
  for (const verb of verbs) {
    for (const url of nonResourceURLs) yield { verbs: [verb], nonResourceURLs: [url] };
    for (const group of apiGroups) {
      for (const resource of resources) {
        const single = { verbs: [verb], apiGroups: [group], resources: [resource] };
        if (resourceNames.length === 0) yield single;
        for (const name of resourceNames) yield { ...single, resourceNames: [name] };
      }
    }
  }
}

/** Whether a rule contains a single right, which may itself be a wildcard. */
function covers(owned: PolicyRule, single: PolicyRule): boolean {
  const [verb = ''] = single.verbs;
  if (!hasOrAll(owned.verbs, verb)) return false;
  const [url] = single.nonResourceURLs ?? [];
  if (url !== undefined) return (owned.nonResourceURLs ?? []).some((ownedUrl) => matchesPath(ownedUrl, url));
  const [group = ''] = single.apiGroups ?? [];
  const [resource = ''] = single.resources ?? [];
  const [name] = single.resourceNames ?? [];
  const { apiGroups = [], resources = [], resourceNames = [] } = owned;
  return (
    hasOrAll(apiGroups, group) &&
    coversResource(resources, resource) &&
    (resourceNames.length === 0 || (name !== undefined && resourceNames.includes(name)))
  );
}

function coversResource(owned: readonly string[], resource: string): boolean {
  if (hasOrAll(owned, resource)) return true;
  const slash = resource.indexOf('/');
  return slash >= 0 && owned.includes(`*${resource.slice(slash)}`);
}

function matchesPath(url: string, path: string): boolean {
  return url === all || url === path || (url.endsWith(all) && path.startsWith(url.slice(0, -1)));
}

function hasOrAll(values: readonly string[], wanted: string): boolean {
  return values.includes(all) || values.includes(wanted);
}

/** `{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}`, as Kubernetes shows a rule. */
export function ruleText({ verbs, apiGroups, resources, resourceNames, nonResourceURLs }: PolicyRule): string {
  const parts = Object.entries({
    APIGroups: apiGroups,
    Resources: resources,
    ResourceNames: resourceNames,
    NonResourceURLs: nonResourceURLs,
    Verbs: verbs,
  }).filter(([, values]) => values !== undefined && values.length > 0);
  return `{${parts.map(([name, values]) => `${name}:${JSON.stringify(values)}`).join(', ')}}`;
}
