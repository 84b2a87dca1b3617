import type { Taint } from '../api/node.ts';
import type { Pod, Toleration } from '../api/pod.ts';

/** Whether the pod may be on a node in spite of the taint. PURE (component-helpers/scheduling/corev1.) */
export function toleratesTaint({ spec }: Pick<Pod, 'spec'>, taint: Taint): boolean {
  return (spec.tolerations ?? []).some((toleration) => tolerates(toleration, taint));
}

function tolerates({ key, operator, value, effect }: Toleration, taint: Taint): boolean {
  if (effect && effect !== taint.effect) return false;
  if (key && key !== taint.key) return false;
  switch (operator || 'Equal') {
    case 'Exists':
      return true;
    case 'Equal':
      // Without a key only Exists tolerates everything.
      return key === taint.key && (value ?? '') === (taint.value ?? '');
    default:
      return false;
  }
}
