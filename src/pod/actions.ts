import type { ContainerResize } from './resize.ts';

/** One container to bring up. */
export interface ContainerStart {
  readonly containerName: string;
  /** A container that was made but not started, from before a crash of the daemon; without it one is made. */
  readonly createdId: string | undefined;
  readonly restartCount: number;
  /** How long this start was held back; undefined for a first start. */
  readonly restartDelaySeconds: number | undefined;
}

/** What each kind of action needs to know. */
interface ActionArgs {
  /** Makes the sandbox (unless `sandboxId` names the one to use), then the containers, and starts these in order. */
  runPod: {
    readonly sandboxId: string | undefined;
    /** Attempt number of the sandbox if one is made. */
    readonly attempt: number;
    /** Sandboxes that must have released their network before a new one is made. */
    readonly stopFirst: readonly string[];
    readonly starts: readonly ContainerStart[];
  };
  /** Brings volumes that show objects of the API to what these are now, in a pod that runs. */
  refreshVolumes: object;
  /** Changes the resources of containers that run, and those of the pod's cgroup. */
  resizePod: { readonly containers: readonly ContainerResize[] };
  killContainer: {
    readonly containerId: string;
    readonly containerName: string;
    readonly graceSeconds: number;
    /** For the Killing event. */
    readonly message: string;
    /** Containers, by id, that must have ended before this one is told to stop, unless the grace period is over before. */
    readonly after?: readonly string[];
  };
  removeContainer: { readonly containerId: string };
  /** Stops, so that its network is released, and removes. */
  removeSandbox: { readonly sandboxId: string };
  /** Decides that the pod ends: its containers are stopped and never started again. */
  failPod: { readonly reason: string; readonly message: string };
  /** A pod that ended for good gives back network, volumes and cgroup, and keeps its dead containers for their logs. */
  releaseResources: { readonly sandboxIds: readonly string[] };
  /** Nothing of the pod is left in the runtime: remove volumes, directories, cgroup, logs, and at last the object. */
  finishDeletion: object;
}

export type ActionKind = keyof ActionArgs;

/** A step that `plan` asks for. */
export type Action = { [K in ActionKind]: { readonly kind: K } & ActionArgs[K] }[ActionKind];
export type ActionOf<K extends ActionKind> = Extract<Action, { kind: K }>;

export interface Plan {
  /** May be executed side by side. After them, `plan` is asked again. */
  readonly actions: readonly Action[];
  /** When to ask again if nothing happens before, milliseconds since the epoch. */
  readonly wakeAtMs: number | undefined;
}
