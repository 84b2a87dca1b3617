import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { readFileIfThere } from '../../util/private-file.ts';

export interface CertificateWish {
  readonly user: string;
  readonly groups: readonly string[];
  readonly days: number;
}

/**
 * A kubeconfig with a client certificate of the daemon's authority. It ends with its time; it cannot be taken back alone.
 *
 * @param pkiDirectory `<state>/pki`, made by the daemon's first start. @param now epoch milliseconds.
 * @throws Error when there is no authority.
 */
export async function userKubeconfig(
  pkiDirectory: string,
  serverUrl: string,
  { user, groups, days }: CertificateWish,
  now: number,
): Promise<string> {
  const certificate = readFileIfThere(join(pkiDirectory, 'ca.crt'));
  const key = readFileIfThere(join(pkiDirectory, 'ca.key'));
  if (certificate === undefined || key === undefined) {
    throw new Error(`there is no authority in ${pkiDirectory} yet: the first start of the daemon with TLS makes it`);
  }
  const { issueClientCertificate } = await import('./certificates.ts');
  const issued = await issueClientCertificate({ certificate, key }, user, groups, now, days);
  const name = 'mini-kubelet';
  // Several of them in one KUBECONFIG must not stand for each other.
  const userName = `${user}-${createHash('sha256').update(issued.certificate).digest('hex').slice(0, 8)}`;
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': `${user}@${name}`,
    clusters: [{ name, cluster: { server: serverUrl, 'certificate-authority-data': base64(certificate) } }],
    users: [
      {
        name: userName,
        user: {
          'client-certificate-data': base64(issued.certificate),
          'client-key-data': base64(issued.key),
        },
      },
    ],
    contexts: [{ name: `${user}@${name}`, context: { cluster: name, user: userName } }],
  });
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
