import { constants } from 'node:fs';
import { mkdir, open, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Pod } from '../api/pod.ts';
import { errorCode, openRegularBeneath, readAtMost } from '../util/safe-fs.ts';
import { CONTAINERS, OWN_DIRECTORY_MODE, pathComponent, podDirectory } from './pod-directory.ts';

// Kubernetes' limits (pkg/kubelet/container/runtime.go).
const MAX_MESSAGE_BYTES = 4096;
const MAX_POD_BYTES = 12 * 1024;
/** What may stand in for a missing message. */
export const LOG_TAIL = { lines: 80, maxBytes: 2048 };

/** Which instance of which container. */
export interface ContainerInstance {
  readonly podUid: string;
  readonly containerName: string;
  readonly restartCount: number;
}

/**
 * Makes the file that a container's termination message goes into: writable for any user, in a directory that no
 * container sees, so that the container can write it but not put something else in its place. Its name follows from the
 * restart count: what the message is read from later depends on nothing that the runtime or a container says. The files
 * of instances before the previous one are removed.
 *
 * @returns its absolute path.
 */
export async function makeTerminationLog(podsDir: string, instance: ContainerInstance): Promise<string> {
  const { podUid, containerName, restartCount } = instance;
  const directory = join(podDirectory(podsDir, podUid), CONTAINERS, pathComponent(containerName));
  await mkdir(directory, { recursive: true, mode: OWN_DIRECTORY_MODE });
  for (const other of await readdir(directory)) {
    const isPrevious = restartCount > 0 && other === fileName(restartCount - 1);
    if (!isPrevious) await removeIfThere(join(directory, other));
  }
  // A new file, also for a second attempt to make the same instance: what the first one wrote is not its message.
  const path = join(directory, fileName(restartCount));
  const file = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    await file.chmod(0o666);
  } finally {
    await file.close();
  }
  return path;
}

export interface EndedContainer extends ContainerInstance {
  readonly exitCode: number;
  /** `File` or `FallbackToLogsOnError`. */
  readonly terminationMessagePolicy: string;
}

/**
 * The last words of a container that ended: the end of its file, and with `FallbackToLogsOnError`, when that is empty
 * and the container failed, the end of its log. At most 4096 bytes, less in a pod of many containers.
 *
 * @throws when the file cannot be read. A file that is not there is an empty message.
 */
export async function readTerminationMessage(
  podsDir: string,
  pod: Pod,
  ended: EndedContainer,
  readLogTail: () => Promise<string>,
): Promise<string> {
  const message = await readMessageFile(podsDir, ended);
  const useLog = message === '' && ended.terminationMessagePolicy === 'FallbackToLogsOnError' && ended.exitCode !== 0;
  const text = useLog ? truncateUtf8(await readLogTail(), LOG_TAIL.maxBytes) : message;
  return truncateUtf8(text, maxMessageBytes(pod));
}

/** PURE. What each container of a pod may say: all of them together 12 KiB (normalizeStatus in pkg/kubelet/status). */
export function maxMessageBytes(pod: Pod): number {
  const { containers, initContainers = [], ephemeralContainers = [] } = pod.spec;
  const count = containers.length + initContainers.length + ephemeralContainers.length;
  return Math.min(MAX_MESSAGE_BYTES, Math.floor(MAX_POD_BYTES / Math.max(1, count)));
}

/** PURE. The beginning of a text that takes at most `maxBytes` in UTF-8; a character is never cut in two. */
export function truncateUtf8(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= maxBytes) return text;
  let end = maxBytes;
  // 10xxxxxx: inside a character.
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.toString('utf8', 0, end);
}

async function readMessageFile(podsDir: string, instance: ContainerInstance): Promise<string> {
  const { podUid, containerName, restartCount } = instance;
  podDirectory(podsDir, podUid);
  const path = `${podUid}/${CONTAINERS}/${pathComponent(containerName)}/${fileName(restartCount)}`;
  try {
    // Its owner may have changed, by the container; its number of names cannot have, from inside.
    const file = await openRegularBeneath(podsDir, path, { singleLink: true });
    try {
      const { data } = await readAtMost(file, MAX_MESSAGE_BYTES, true);
      return data.toString();
    } finally {
      await file.close();
    }
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return '';
    throw error;
  }
}

/** Eight hexadecimal digits, like the random ones of a kubelet. */
function fileName(restartCount: number): string {
  return restartCount.toString(16).padStart(8, '0');
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}
