import type { Config } from './config/config.ts';
import { type NodeResources, nodeResources } from './node/allocatable.ts';
import { type NodeCapacity, readCapacity } from './node/capacity.ts';
import { type MachineInfo, readMachineInfo } from './node/node-info.ts';

/** What is known of the machine when the daemon starts. */
export interface Machine {
  readonly capacity: NodeCapacity;
  readonly resources: NodeResources;
  readonly info: MachineInfo;
}

/** Asks the kernel, and takes off what the configuration keeps for others than pods. */
export async function readMachine(config: Config): Promise<Machine> {
  const { stateDirectory, kubeReserved, systemReserved, evictionHard, maxPods } = config;
  const [capacity, info] = await Promise.all([readCapacity(stateDirectory), readMachineInfo()]);
  return {
    capacity,
    info,
    resources: nodeResources(capacity, { kubeReserved, systemReserved, evictionHard, maxPods }),
  };
}
