/** One thing wrong with the configuration. */
export interface Problem {
  /** `/etc/mini-kubelet/config.yaml:12`, `--max-pods`, or '' when it is nowhere in particular. */
  readonly where: string;
  /** `maxPods must be a whole number from 1 to 100000, not "many"`. */
  readonly message: string;
}

/** Everything that is wrong with the configuration, one line for each. */
export class ConfigError extends Error {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(problems.map(({ where, message }) => (where === '' ? message : `${where}: ${message}`)).join('\n'));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}
