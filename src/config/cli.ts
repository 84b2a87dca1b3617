import { type FlagValue, flagHelp, parseCommandLine, UsageError } from './flags.ts';

export { UsageError } from './flags.ts';

/** What the exit code of mini-kubelet says. */
export const exitCodes = {
  ok: 0,
  /** Something went wrong while it ran, or this machine lacks something. */
  failure: 1,
  /** The command line makes no sense. */
  usage: 2,
  /** The configuration is wrong (EX_CONFIG of sysexits.h): starting again does not help. */
  configuration: 78,
} as const;

export type Command =
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | {
      readonly kind: 'run' | 'config check' | 'config print' | 'secrets rotate-key';
      readonly configFile: string | undefined;
      readonly flags: readonly FlagValue[];
    };

/** PURE. What a command line asks for. @throws UsageError */
export function parseCommand(argv: readonly string[]): Command {
  const { words, help, version, configFile, flags } = parseCommandLine(argv);
  if (help || words[0] === 'help') return { kind: 'help' };
  if (version || words[0] === 'version') return { kind: 'version' };
  const command = words.join(' ');
  switch (command) {
    case '':
      return { kind: 'run', configFile, flags };
    case 'config check':
    case 'config print':
    case 'secrets rotate-key':
      return { kind: command, configFile, flags };
    default:
      throw new UsageError(`there is no command "${command}"`);
  }
}

/** PURE. The text of `--help`. */
export function helpText(): string {
  return `mini-kubelet runs Kubernetes pods on this host.

Usage:
  mini-kubelet [flags]                run the daemon
  mini-kubelet config check [flags]   check the configuration and say everything that is wrong with it
  mini-kubelet config print [flags]   print the configuration in force, as a configuration file
  mini-kubelet secrets rotate-key     add a key for Secrets on the disk; the next start encrypts all of them with it

  -c, --config FILE   configuration file (default /etc/mini-kubelet/config.yaml, which may be missing);
                      FILE.d/*.yaml are read after it, in the order of their names
  -h, --help          print this
  -V, --version       print the version

Settings (a flag wins over the files, see docs/configuration.md):
${flagHelp()}
Exit codes:
  ${exitCodes.ok}    stopped as asked, or nothing is wrong
  ${exitCodes.failure}    failed while running, or this machine lacks something
  ${exitCodes.usage}    wrong command line
  ${exitCodes.configuration}   wrong configuration
`;
}
