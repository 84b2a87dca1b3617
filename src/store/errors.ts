/** Another process holds the store; only one daemon may work on a state directory. */
export class StoreLockedError extends Error {
  /** Process id of the holder, when the kernel names it. */
  readonly holderPid: number | undefined;

  constructor(path: string, holderPid: number | undefined) {
    const holder = holderPid === undefined ? 'another process' : `another mini-kubelet (process ${holderPid})`;
    super(`the store ${path} is in use by ${holder}; stop it first, or use another state directory`);
    this.name = 'StoreLockedError';
    this.holderPid = holderPid;
  }
}

/** The file is no store of ours, or not whole. The daemon must not go on with an empty one: it would kill every pod. */
export class StoreUnreadableError extends Error {
  constructor(path: string, why: string) {
    super(`the store ${path} cannot be used: ${why}`);
    this.name = 'StoreUnreadableError';
  }
}
