import type { Pod } from '../api/pod.ts';

/** Whether it depends on the runtime's version and handlers if the pod may run: only the runtime itself can tell. PURE. */
export function asksForRuntimeFeatures({ spec }: Pod): boolean {
  return (
    spec.hostUsers === false ||
    spec.securityContext?.supplementalGroupsPolicy === 'Strict' ||
    (spec.volumes ?? []).some(({ image }) => image)
  );
}
