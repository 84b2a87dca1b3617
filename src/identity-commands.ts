import { join } from 'node:path';
import type { Command } from './config/cli.ts';
import type { Config } from './config/config.ts';
import { serverUrl } from './server/pki/server-url.ts';
import { userKubeconfig } from './server/pki/user-certificate.ts';
import { createUserToken, listUserTokens, revokeUserToken, userTokensIn } from './server/pki/user-tokens.ts';
import { printable } from './util/printable.ts';
import { writeFileAtomic } from './util/private-file.ts';

interface Output {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
}

/**
 * The commands that give somebody a way in, or take it back. They work on files: the daemon may run or not, and sees at once
 * what they do. @returns whether it was done.
 */
export async function runIdentityCommand(command: Command, config: Config, output: Output): Promise<boolean> {
  const { stdout, stderr } = output;
  const pkiDirectory = join(config.stateDirectory, 'pki');
  const tokens = userTokensIn(pkiDirectory);
  const now = Date.now();
  switch (command.kind) {
    case 'cert': {
      const { identity, days, out } = command;
      const url = serverUrl(config.address, config.port);
      const kubeconfig = await userKubeconfig(pkiDirectory, url, { ...identity, days }, now);
      if (out === undefined) stdout.write(kubeconfig);
      else writeFileAtomic(out, kubeconfig, 0o600);
      return true;
    }
    case 'token create': {
      const { identity, lifeMs } = command;
      const { token, stored } = createUserToken(tokens, { ...identity, lifeMs }, now);
      stdout.write(`${token}\n`);
      stderr.write(`token ${stored.id} of ${stored.user} is valid until ${stored.expires}\n`);
      return true;
    }
    case 'token list': {
      const rows = listUserTokens(tokens).map(({ id, user, groups, created, expires }) => {
        const end = Date.parse(expires) > now ? expires : `${expires} (expired)`;
        return [id, user, groups.join(','), created, end];
      });
      stdout.write(printable(table([['ID', 'NAME', 'GROUPS', 'CREATED', 'EXPIRES'], ...rows])));
      return true;
    }
    case 'token revoke': {
      const isDone = revokeUserToken(tokens, command.id);
      if (!isDone) stderr.write(printable(`mini-kubelet: there is no token ${JSON.stringify(command.id)}\n`));
      return isDone;
    }
    default:
      throw new Error(`${command.kind} is no command for identities`);
  }
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  const line = (row: readonly string[]) => row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('   ');
  return rows.map((row) => `${line(row).trimEnd()}\n`).join('');
}
