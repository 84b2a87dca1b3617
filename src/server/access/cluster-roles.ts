import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import {
  type ClusterRole,
  type ClusterRoleBinding,
  type PolicyRule,
  rbacGroup,
  type Subject,
} from '../../api/rbac/rbac.ts';
import { clusterRoleBindingKind, clusterRoleKind } from '../../api/rbac/rbac-kinds.ts';
import { matchesLabelSelector } from '../../api/selectors.ts';
import type { Store } from '../../store/store.ts';
import type { Clock } from '../../util/clock.ts';
import type { Logger } from '../../util/log.ts';
import { type DefaultBinding, type DefaultRole, defaultBindings, defaultRoles } from './default-roles.ts';
import { missingRules } from './rules.ts';

const autoupdate = 'rbac.authorization.kubernetes.io/autoupdate';
const aggregateTo = (name: string) => `${rbacGroup}/aggregate-to-${name}`;

export interface ClusterRolesOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Keeps what belongs to no client: at start the roles and bindings that Kubernetes always has, where something of them is
 * missing and nobody has set their `autoupdate` annotation to "false"; and always the rules of roles that are made of
 * others.
 */
export class ClusterRoles {
  readonly #options: ClusterRolesOptions;
  #stopWatch: (() => void) | undefined;

  constructor(options: ClusterRolesOptions) {
    this.#options = options;
  }

  start(): void {
    const { store } = this.#options;
    for (const role of defaultRoles) this.#attempt(() => this.#ensureRole(role));
    for (const binding of defaultBindings) this.#attempt(() => this.#ensureBinding(binding));
    this.#attempt(() => this.#aggregate());
    const { resourceVersion } = store;
    this.#stopWatch = store.watch(clusterRoleKind, { resourceVersion }, () => this.#attempt(() => this.#aggregate()));
  }

  stop(): void {
    this.#stopWatch?.();
  }

  /** A full disk is no reason not to start; the next start, or the next change of a role, comes here again. */
  #attempt(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#options.logger.error({ err: error }, 'a default role could not be brought up to date');
    }
  }

  #ensureRole(wanted: DefaultRole): void {
    const { store } = this.#options;
    const made = roleOf(wanted);
    const current = store.get(clusterRoleKind, undefined, wanted.name);
    if (!current) {
      store.create(clusterRoleKind, { ...made, metadata: this.#metadata(made) }, { durable: false });
    } else if (current.metadata.annotations?.[autoupdate] !== 'false') {
      store.update(clusterRoleKind, undefined, wanted.name, (role) => repairedRole(role, made), { durable: false });
    }
  }

  #ensureBinding(wanted: DefaultBinding): void {
    const { store } = this.#options;
    const made = bindingOf(wanted);
    const current = store.get(clusterRoleBindingKind, undefined, wanted.role);
    if (current?.metadata.annotations?.[autoupdate] === 'false') return;
    if (current && isDeepStrictEqual({ ...current.roleRef }, made.roleRef)) {
      const repair = (binding: ClusterRoleBinding) => repairedBinding(binding, made);
      store.update(clusterRoleBindingKind, undefined, wanted.role, repair, { durable: false });
      return;
    }
    // The role of a binding cannot be changed, not even by us.
    if (current) store.delete(clusterRoleBindingKind, undefined, wanted.role);
    store.create(clusterRoleBindingKind, { ...made, metadata: this.#metadata(made) }, { durable: false });
  }

  #aggregate(): void {
    const { store } = this.#options;
    const roles = store.list(clusterRoleKind).items;
    for (const role of roles) {
      const rules = aggregatedRules(role, roles);
      if (!rules || isDeepStrictEqual(plain(rules), plain(role.rules))) continue;
      store.update(clusterRoleKind, undefined, role.metadata.name, (current) => ({ ...current, rules }), {
        durable: false,
      });
    }
  }

  #metadata({ metadata }: { metadata: Omit<ClusterRole['metadata'], 'uid'> }): ClusterRole['metadata'] {
    const creationTimestamp = new Date(this.#options.clock.now()).toISOString().replace(/\.\d+Z$/, 'Z');
    return { ...metadata, uid: randomUUID(), creationTimestamp };
  }
}

/**
 * The rules of all roles that a role is made of, each once, through roles that are themselves made of others; undefined for
 * one that is made of none. Counted anew from those that are made of none, so that circles hold nothing alive. PURE.
 */
export function aggregatedRules(role: ClusterRole, roles: readonly ClusterRole[]): PolicyRule[] | undefined {
  if (!role.aggregationRule) return undefined;
  const rules = new Map<string, PolicyRule>();
  const seen = new Set([role.metadata.name]);
  const visit = ({ aggregationRule }: ClusterRole): void => {
    const selectors = aggregationRule?.clusterRoleSelectors ?? [];
    for (const part of roles) {
      const { name, labels = {} } = part.metadata;
      if (seen.has(name) || !selectors.some((selector) => matchesLabelSelector(selector, labels))) continue;
      seen.add(name);
      if (part.aggregationRule) visit(part);
      else for (const rule of part.rules) rules.set(JSON.stringify(rule), rule);
    }
  };
  visit(role);
  return [...rules.values()];
}

const labels = { 'kubernetes.io/bootstrapping': 'rbac-defaults' };
const annotations = { [autoupdate]: 'true' };

type Made<T> = Omit<T, 'metadata'> & { metadata: Omit<ClusterRole['metadata'], 'uid'> };

function roleOf({ name, rules, aggregateTo: parts = [], isAggregated }: DefaultRole): Made<ClusterRole> {
  const partLabels = Object.fromEntries(parts.map((part) => [aggregateTo(part), 'true']));
  return {
    apiVersion: `${rbacGroup}/v1`,
    kind: 'ClusterRole',
    metadata: { name, labels: { ...labels, ...partLabels }, annotations },
    rules: rules.map((rule) => ({ ...rule })),
    ...(isAggregated
      ? { aggregationRule: { clusterRoleSelectors: [{ matchLabels: { [aggregateTo(name)]: 'true' } }] } }
      : {}),
  };
}

function bindingOf({ role, subjects }: DefaultBinding): Made<ClusterRoleBinding> {
  return {
    apiVersion: `${rbacGroup}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: { name: role, labels, annotations },
    subjects: [...subjects],
    roleRef: { apiGroup: rbacGroup, kind: 'ClusterRole', name: role },
  };
}

/** With what is missing; what somebody has added stays. */
function repairedRole(role: ClusterRole, made: Made<ClusterRole>): ClusterRole {
  const missing = made.rules.filter((rule) => missingRules(role.rules, [rule]).length > 0);
  return {
    ...role,
    metadata: repairedMetadata(role.metadata, made.metadata),
    rules: [...role.rules, ...missing],
    ...(made.aggregationRule ? { aggregationRule: made.aggregationRule } : {}),
  };
}

function repairedBinding(binding: ClusterRoleBinding, made: Made<ClusterRoleBinding>): ClusterRoleBinding {
  const { subjects = [] } = binding;
  const isThere = (subject: Subject) =>
    subjects.some(({ kind, name }) => kind === subject.kind && name === subject.name);
  const missing = (made.subjects ?? []).filter((subject) => !isThere(subject));
  return {
    ...binding,
    metadata: repairedMetadata(binding.metadata, made.metadata),
    subjects: [...subjects, ...missing],
  };
}

function repairedMetadata(
  metadata: ClusterRole['metadata'],
  made: Omit<ClusterRole['metadata'], 'uid'>,
): ClusterRole['metadata'] {
  return {
    ...metadata,
    labels: { ...metadata.labels, ...made.labels },
    annotations: { ...metadata.annotations, ...made.annotations },
  };
}

function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
