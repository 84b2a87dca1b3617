import { type FieldError, invalid } from '../field-error.ts';

/** What a namespace's labels say of the pods in it. */

export type SecurityLevel = 'privileged' | 'baseline' | 'restricted';

/** The rules of a level, as they are in one version of Kubernetes. */
export interface SecurityRules {
  readonly level: SecurityLevel;
  /** Minor version: 36 for v1.36. */
  readonly version: number | 'latest';
}

export interface SecurityPolicy {
  /** A pod that breaks these is refused. */
  readonly enforce: SecurityRules;
  /** Its author is warned. */
  readonly warn: SecurityRules;
  /** It is noted in the log. */
  readonly audit: SecurityRules;
}

type Mode = keyof SecurityPolicy;

const PREFIX = 'pod-security.kubernetes.io/';
/** From the least to the most. */
const levels: readonly SecurityLevel[] = ['privileged', 'baseline', 'restricted'];
const modes: readonly Mode[] = ['enforce', 'audit', 'warn'];

/** `baseline:latest` */
export function rulesText({ level, version }: SecurityRules): string {
  return `${level}:${version === 'latest' ? version : `v1.${version}`}`;
}

/** Negative when `a` asks for less than `b`. */
export function compareLevels(a: SecurityLevel, b: SecurityLevel): number {
  return levels.indexOf(a) - levels.indexOf(b);
}

/**
 * The policy of a namespace with these labels; one without labels allows everything. What cannot be understood (it is
 * refused when it is written) enforces the strictest rules, and neither warns nor audits.
 */
export function securityPolicy(labels: Readonly<Record<string, string>> = {}): SecurityPolicy {
  const rulesOf = (mode: Mode): SecurityRules => {
    const level = labels[`${PREFIX}${mode}`] ?? 'privileged';
    const fallback = mode === 'enforce' ? 'restricted' : 'privileged';
    const version = labels[`${PREFIX}${mode}-version`] ?? 'latest';
    return { level: isLevel(level) ? level : fallback, version: parseVersion(version) ?? 'latest' };
  };
  const enforce = rulesOf('enforce');
  const warn = rulesOf('warn');
  const warnsAsItEnforces =
    labels[`${PREFIX}warn`] === undefined && isLevel(labels[`${PREFIX}enforce`]) && enforce.level !== 'privileged';
  const version = labels[`${PREFIX}warn-version`] === undefined ? enforce.version : warn.version;
  return { enforce, audit: rulesOf('audit'), warn: warnsAsItEnforces ? { level: enforce.level, version } : warn };
}

/** All labels of a namespace that cannot be understood. */
export function validateSecurityLabels(labels: Readonly<Record<string, string>> = {}): FieldError[] {
  const errors: FieldError[] = [];
  for (const mode of modes) {
    const level = labels[`${PREFIX}${mode}`];
    if (level !== undefined && !isLevel(level)) {
      errors.push(invalid(`metadata.labels[${PREFIX}${mode}]`, level, `must be one of ${levels.join(', ')}`));
    }
    const version = labels[`${PREFIX}${mode}-version`];
    if (version !== undefined && parseVersion(version) === undefined) {
      errors.push(invalid(`metadata.labels[${PREFIX}${mode}-version]`, version, 'must be "latest" or "v1.x"'));
    }
  }
  return errors;
}

function isLevel(text: string | undefined): text is SecurityLevel {
  return levels.some((level) => level === text);
}

function parseVersion(text: string): SecurityRules['version'] | undefined {
  if (text === 'latest') return text;
  const [, minor] = /^v1\.(0|[1-9][0-9]{0,5})$/.exec(text) ?? [];
  return minor === undefined ? undefined : Number(minor);
}
