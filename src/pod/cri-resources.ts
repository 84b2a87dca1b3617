import type { CriLinuxResources } from '../cgroups/container-resources.ts';

/** As the gRPC library wants it: it takes 64-bit numbers as text. */
export function criResources(resources: CriLinuxResources) {
  return {
    ...resources,
    cpuPeriod: text(resources.cpuPeriod),
    cpuQuota: text(resources.cpuQuota),
    cpuShares: text(resources.cpuShares),
    memoryLimitInBytes: text(resources.memoryLimitInBytes),
    memorySwapLimitInBytes: text(resources.memorySwapLimitInBytes),
    oomScoreAdj: text(resources.oomScoreAdj),
    hugepageLimits: resources.hugepageLimits.map(({ pageSize, limit }) => ({ pageSize, limit: text(limit) })),
  };
}

function text(value: bigint | undefined): string | undefined {
  return value?.toString();
}
