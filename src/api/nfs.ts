import { isIP } from 'node:net';
import { type ErrorSink, invalid, notSupported, required } from './field-error.ts';
import type { NFSVolumeSource } from './pod.ts';

/** What is said of NFS volumes, inline and in PersistentVolumes, before it reaches mount(8) and mount.nfs(8). */

/** Neither an option of a program, nor anything that separates a server from its directory or from another server. */
const HOST_NAME = /^[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9_.])?$/;

/** What Kubernetes asks of the fields, which is not much, is asked before. */
export function validateNfsAddress({ server, path }: NFSVolumeSource, at: string, errors: ErrorSink): void {
  if (isIP(server) === 0 && !HOST_NAME.test(server)) {
    errors.push(invalid(`${at}.server`, server, 'must be a host name or an IP address'));
  }
  if (/\p{Cc}/u.test(path)) errors.push(invalid(`${at}.path`, path, 'must not contain control characters'));
}

const FLAGS =
  'ac noac acl noacl cto nocto fsc nofsc hard soft softerr softreval nosoftreval intr nointr lock nolock migration nomigration ' +
  'rdirplus nordirplus resvport noresvport sharecache nosharecache xattr noxattr tcp udp rdma fg trunkdiscovery notrunkdiscovery ' +
  'ro rw sync async dirsync atime noatime diratime nodiratime relatime norelatime strictatime nostrictatime lazytime nolazytime ' +
  'dev nodev exec noexec suid nosuid defaults _netdev nofail';
const VALUES =
  'acdirmax acdirmin acregmax acregmin actimeo clientaddr context local_lock lookupcache max_connect minorversion mounthost mountport ' +
  'mountproto mountvers namlen nconnect nfsvers port proto retrans retry rsize sec timeo vers write wsize xprtsec';

const flags: ReadonlySet<string> = new Set(FLAGS.split(' '));
const values: ReadonlySet<string> = new Set(VALUES.split(' '));

/**
 * Options of nfs(5) and those of mount(8) that concern every file system. All others are refused: mount(8) does other things
 * than to mount what it was given for some, such as `bind` and `loop`, and is back before the volume is there for `bg`.
 */
export function validateNfsMountOptions(options: readonly string[], at: string, errors: ErrorSink): void {
  for (const [index, text] of options.entries()) {
    for (const option of text.split(',')) {
      const [name = '', ...rest] = option.trim().split('=');
      const value = rest.join('=');
      const field = `${at}[${index}]`;
      if (name === '') errors.push(required(field, 'an option of nfs(5)'));
      else if (!isKnown(name, rest.length > 0)) errors.push(notSupported(field, option, [...flags, ...values].sort()));
      else if (/[^\x21-\x7e]|"/.test(value)) errors.push(invalid(field, option, 'must have plain characters only'));
    }
  }
}

function isKnown(name: string, hasValue: boolean): boolean {
  // Also v4.2 and the like.
  return hasValue ? values.has(name) : flags.has(name) || /^v(2|3|4(\.[0-2])?)$/.test(name);
}

/** The same, one option each and without blanks around them. PURE. */
export function nfsMountOptions(options: readonly string[]): string[] {
  return options.flatMap((text) => text.split(',')).map((option) => option.trim());
}
