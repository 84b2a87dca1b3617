/** What the probes of one running container say. */
export interface ContainerProbes {
  /** Whether the startup probe has succeeded; true without one. */
  readonly isStarted: boolean;
  /** What the readiness probe says, and false until the container has started; without one as `isStarted`. */
  readonly isReady: boolean;
  /** Set when the container has to be killed: a liveness or startup probe failed too often in a row. */
  readonly failure: ProbeFailure | undefined;
}

export interface ProbeFailure {
  /** For the Killing event, such as `Container web failed liveness probe, will be restarted`. */
  readonly message: string;
  /** The probe's own grace period; undefined for the pod's. */
  readonly graceSeconds: number | undefined;
}

/** By container id. A running container that is not in it has no probes: it is started and ready. */
export type ProbeResults = ReadonlyMap<string, ContainerProbes>;

export const NO_PROBE_RESULTS: ProbeResults = new Map();
