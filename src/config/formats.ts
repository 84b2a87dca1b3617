import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { imageRepository } from '../api/image-name.ts';
import { isQuantity, quantityNumber } from '../api/quantity.ts';
import { sysctlPatternProblem } from '../api/sysctls.ts';
import { parseDuration } from './duration.ts';
import type { SettingSchema } from './settings.ts';

/** What is wrong with a text, continuing "must be ..."; undefined when nothing is. */
type TextCheck = (value: string, schema: SettingSchema) => string | undefined;
/** The same for the entries of a map. */
interface EntryFormat {
  key(key: string): string | undefined;
  value(value: string): string | undefined;
}

/** What the kernel takes as the path of a unix socket, in bytes; Node cuts a longer one without a word. */
const maxSocketPathBytes = 107;

const dnsLabel = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const dnsNamePattern = new RegExp(`^${dnsLabel}(\\.${dnsLabel})*$`);
const labelNamePattern = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;

function isDnsName(text: string): boolean {
  return text.length <= 253 && dnsNamePattern.test(text);
}

function isLabelKey(key: string): boolean {
  const [prefix, name, ...more] = key.includes('/') ? key.split('/') : [undefined, key];
  if (more.length > 0 || (prefix !== undefined && !isDnsName(prefix))) return false;
  return name !== undefined && name.length <= 63 && labelNamePattern.test(name);
}

/** The network's own address, and room for other ones. */
function isNetwork(text: string): boolean {
  if (!ipaddr.isValidCIDR(text)) return false;
  const [address, bits] = ipaddr.parseCIDR(text);
  const [kind, length] = address.kind() === 'ipv6' ? [ipaddr.IPv6, 128] : [ipaddr.IPv4, 32];
  return bits <= length - 2 && kind.networkAddressFromCIDR(text).toString() === address.toString();
}

const path: TextCheck = (value) => (value.startsWith('/') && !value.includes('\0') ? undefined : 'an absolute path');

const socketPath = (value: string): string | undefined =>
  Buffer.byteLength(value) <= maxSocketPathBytes ? undefined : `at most ${maxSocketPathBytes} bytes long`;

const unixEndpoint: TextCheck = (value) =>
  value.startsWith('unix:///')
    ? socketPath(value.slice('unix://'.length))
    : 'like unix:///run/containerd/containerd.sock';

const duration: TextCheck = (value, { minimumMs = 0, maximumMs = Number.POSITIVE_INFINITY }) => {
  const ms = parseDuration(value);
  if (ms === undefined) return 'a duration like "1m30s"';
  if (ms < minimumMs) return `at least ${minimumMs / 1000}s`;
  return ms > maximumMs ? `at most ${maximumMs / 1000}s` : undefined;
};

const size: TextCheck = (value) => (isQuantity(value) && quantityNumber(value) > 0 ? undefined : 'a size like "10Mi"');

/** As `getAllowlistImagePattern` of a kubelet: a repository without tag and digest, or a beginning that ends with `/*`. */
const imagePattern: TextCheck = (value) => {
  const isBeginning = value.endsWith('/*') && /^[^\s*]+\/\*$/.test(value);
  return isBeginning || imageRepository(value) === value
    ? undefined
    : 'like registry.test/team/app or registry.test/team/*';
};

export const textFormats: Readonly<Record<string, TextCheck>> = {
  name: (value) => (value === '' || isDnsName(value) ? undefined : 'a DNS name in lower case'),
  'dns-name-or-empty': (value) => (value === '' || isDnsName(value) ? undefined : 'a DNS name'),
  ip: (value) => (isIP(value) === 0 ? 'an IP address' : undefined),
  'cidr-or-empty': (value) => (value === '' || isNetwork(value) ? undefined : 'a range like "10.96.0.0/12"'),
  path,
  'path-or-empty': (value, schema) => (value === '' ? undefined : path(value, schema)),
  'unix-endpoint': unixEndpoint,
  'unix-endpoint-or-empty': (value, schema) => (value === '' ? undefined : unixEndpoint(value, schema)),
  cgroup: (value) =>
    value === '' || (/^\/[^\0\n]*$/.test(value) && !value.split('/').includes('..'))
      ? undefined
      : 'an absolute cgroup path',
  duration,
  size,
  'sysctl-pattern': sysctlPatternProblem,
  'image-pattern': imagePattern,
};

const MAX_PERIOD_MS = 24 * 3_600_000;
const reservable = ['cpu', 'memory', 'ephemeral-storage'];
const signals = ['memory.available', 'nodefs.available'];

const reservation = (value: string) =>
  isQuantity(value) && quantityNumber(value) >= 0 ? undefined : 'a quantity like "100m" or "1Gi"';

const oneOfNames = (names: readonly string[]) => (key: string) =>
  names.includes(key) ? undefined : `one of ${names.join(', ')}`;

export const entryFormats: Readonly<Record<string, EntryFormat>> = {
  label: {
    key: (key) => (isLabelKey(key) ? undefined : 'a label key like "example.com/role"'),
    value: (value) =>
      value === '' || (value.length <= 63 && labelNamePattern.test(value))
        ? undefined
        : 'a label value: at most 63 letters, digits, "-", "_" and "."',
  },
  'priority-period': {
    key: (key) => (/^-?\d{1,10}$/.test(key) && Math.abs(Number(key)) < 2 ** 31 ? undefined : 'a priority, like 1000'),
    value: (value) => {
      const ms = parseDuration(value);
      return ms !== undefined && ms <= MAX_PERIOD_MS ? undefined : 'a duration like "1m30s", at most a day';
    },
  },
  reserved: { key: oneOfNames(reservable), value: reservation },
  'eviction-signal': {
    key: oneOfNames(signals),
    value: (value) => {
      const isPercentage = /^[0-9]+(\.[0-9]+)?%$/.test(value) && Number.parseFloat(value) <= 100;
      return isPercentage || reservation(value) === undefined
        ? undefined
        : 'a quantity like "100Mi" or a percentage like "10%"';
    },
  },
};

/** @see maxSocketPathBytes */
export function socketPathProblem(value: string): string | undefined {
  return socketPath(value);
}
