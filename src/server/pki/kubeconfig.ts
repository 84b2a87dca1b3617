import { parse, stringify } from 'yaml';

export interface Kubeconfig {
  /** `https://127.0.0.1:10250` */
  readonly server: string;
  /** PEM texts. */
  readonly authority: string;
  readonly clientCertificate: string;
  readonly clientKey: string;
  readonly token: string;
}

const clusterName = 'mini-kubelet';
const certificateUser = 'mini-kubelet-admin';
const tokenUser = 'mini-kubelet-admin-token';

/** A kubectl configuration with two users, one by certificate (the current one) and one by token. */
export function renderKubeconfig(config: Kubeconfig): string {
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': clusterName,
    clusters: [
      { name: clusterName, cluster: { server: config.server, 'certificate-authority-data': base64(config.authority) } },
    ],
    users: [
      {
        name: certificateUser,
        user: {
          'client-certificate-data': base64(config.clientCertificate),
          'client-key-data': base64(config.clientKey),
        },
      },
      { name: tokenUser, user: { token: config.token } },
    ],
    contexts: [
      { name: clusterName, context: { cluster: clusterName, user: certificateUser } },
      { name: `${clusterName}-token`, context: { cluster: clusterName, user: tokenUser } },
    ],
  });
}

/** What `renderKubeconfig` wrote, from a file that its owner may have changed since; what is gone is undefined. */
export function readKubeconfig(text: string): { [K in keyof Kubeconfig]: string | undefined } {
  const config: unknown = parse(text);
  const cluster = named(member(config, 'clusters'), clusterName, 'cluster');
  const admin = named(member(config, 'users'), certificateUser, 'user');
  return {
    server: asText(member(cluster, 'server')),
    authority: unbase64(member(cluster, 'certificate-authority-data')),
    clientCertificate: unbase64(member(admin, 'client-certificate-data')),
    clientKey: unbase64(member(admin, 'client-key-data')),
    token: asText(member(named(member(config, 'users'), tokenUser, 'user'), 'token')),
  };
}

function named(list: unknown, name: string, key: string): unknown {
  if (!Array.isArray(list)) return undefined;
  return member(
    list.find((entry) => member(entry, 'name') === name),
    key,
  );
}

function member(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
}

function asText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

function unbase64(value: unknown): string | undefined {
  return typeof value === 'string' ? Buffer.from(value, 'base64').toString() : undefined;
}
