import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import type { FieldError } from '../../../src/api/field-error.ts';
import { podKind } from '../../../src/api/kinds.ts';
import type { Pod } from '../../../src/api/pod.ts';
import { validatePodCreate } from '../../../src/api/pod-validation.ts';
import { checkStructure } from '../../../src/api/structural.ts';

/** A pod as a user writes it. */
export interface Manifest {
  metadata?: Record<string, unknown>;
  spec?: Record<string, unknown>;
  /** Changes of the only container. */
  container?: Record<string, unknown>;
}

export function manifest({ metadata = {}, spec = {}, container = {} }: Manifest = {}): Record<string, unknown> {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'default', ...metadata },
    spec: { containers: [{ name: 'app', image: 'busybox:1.36', ...container }], ...spec },
  };
}

/** Decoded and with defaults, ready to be judged. */
export function preparedPod(document: unknown): Pod {
  const { object, errors } = checkStructure<Pod>(podKind, document, { fieldValidation: 'Strict' });
  if (errors.length > 0) throw new Error(errors.map(({ message }) => message).join('\n'));
  object.metadata.namespace ??= 'default';
  podKind.prepareForCreate(object);
  podKind.applyDefaults(object);
  return object;
}

/** `FieldValueRequired spec.containers[0].name`, sorted: the order of causes says nothing. */
export function shown(errors: readonly FieldError[]): string[] {
  return errors.map(({ type, field }) => `${type} ${field}`).toSorted();
}

interface CorpusRow {
  manifest: Record<string, unknown>;
  want: string[];
}

/** What a pod is, how it is written, and why it is refused: nothing for a good one. */
export type Verdict = [what: string, pod: Manifest, want?: readonly string[]];

/** Kubernetes' verdict is as the table says, and what Kubernetes refuses, the daemon does not take either. */
export function checkVerdicts(t: Test, verdicts: readonly Verdict[]): void {
  for (const [what, parts, want = []] of verdicts) {
    const pod = preparedPod(manifest(parts));
    t.same(shown(validatePodCreate(pod, { allowPrivileged: false })), want.toSorted(), what);
    if (want.length > 0) t.not(podKind.validateCreate(pod).length, 0, `${what}, with the daemon's own rules`);
  }
}

/** Pods with Kubernetes' own verdict: a file that may lie beside the checkout. */
export function corpus(): CorpusRow[] | undefined {
  const file = fileURLToPath(new URL('../../../../shared/data/pod-validation.jsonl', import.meta.url));
  if (!existsSync(file)) return undefined;
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  return lines.map((line) => JSON.parse(line) as CorpusRow);
}
