import { type FlagValue, flagHelp, parseCommandLine } from './flags.ts';
import { type IdentityFlags, type WantedIdentity, wantedDays, wantedIdentity, wantedLifeMs } from './identity-flags.ts';
import { UsageError } from './usage-error.ts';

export { UsageError } from './usage-error.ts';

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
      readonly kind: 'run' | 'config check' | 'config print' | 'secrets rotate-key' | 'token list';
      readonly configFile: string | undefined;
      readonly flags: readonly FlagValue[];
    }
  | (WithConfig & { readonly kind: 'token revoke'; readonly id: string })
  | (WithConfig & { readonly kind: 'token create'; readonly identity: WantedIdentity; readonly lifeMs: number })
  | (WithConfig & {
      readonly kind: 'cert';
      readonly identity: WantedIdentity;
      readonly days: number;
      readonly out: string | undefined;
    });

interface WithConfig {
  readonly configFile: string | undefined;
  readonly flags: readonly FlagValue[];
}

/** Which of the flags for identities a command takes. */
const identityFlags: Readonly<Record<string, readonly (keyof IdentityFlags)[]>> = {
  cert: ['name', 'groups', 'days', 'out'],
  'token create': ['name', 'groups', 'expires'],
};

/** PURE. What a command line asks for. @throws UsageError */
export function parseCommand(argv: readonly string[]): Command {
  const { words, help, version, configFile, flags, identity } = parseCommandLine(argv);
  if (help || words[0] === 'help') return { kind: 'help' };
  if (version || words[0] === 'version') return { kind: 'version' };
  const [id] = words[0] === 'token' && words[1] === 'revoke' ? words.slice(2) : [];
  const command = (id === undefined ? words : words.filter((word) => word !== id)).join(' ');
  for (const flag of Object.keys(identity)) {
    const isTaken = identityFlags[command]?.some((known) => known === flag);
    if (!isTaken) throw new UsageError(`--${flag} does not belong to ${command === '' ? 'the daemon' : command}`);
  }
  const common = { configFile, flags };
  switch (command) {
    case '':
      return { kind: 'run', configFile, flags };
    case 'config check':
    case 'config print':
    case 'secrets rotate-key':
    case 'token list':
      return { kind: command, ...common };
    case 'token revoke':
      if (id === undefined) throw new UsageError('token revoke needs the id that token list shows');
      return { kind: command, ...common, id };
    case 'token create':
      return { kind: command, ...common, identity: wantedIdentity(identity), lifeMs: wantedLifeMs(identity) };
    case 'cert': {
      const days = wantedDays(identity);
      return { kind: command, ...common, identity: wantedIdentity(identity), days, out: identity.out };
    }
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
  mini-kubelet cert --name NAME [--groups A,B] [--days N] [--out FILE]
                                      a kubeconfig with a client certificate, for N days (365)
  mini-kubelet token create --name NAME [--groups A,B] [--expires 90d]
                                      print a bearer token; it is told this once only (valid for 30d)
  mini-kubelet token list             the tokens' ids, names, groups and times
  mini-kubelet token revoke ID        make a token invalid, at once
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
