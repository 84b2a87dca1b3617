import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { IdMapping } from '../runtime/sandbox-config.ts';
import { errorCode, readRegularFile, writeFileAtomic } from '../util/safe-fs.ts';
import { isPodUid, OWN_DIRECTORY_MODE, podDirectory } from './pod-directory.ts';

/** Every pod gets as many ids as 16 bits can tell apart, on the host from a multiple of that number on. */
const IDS_PER_POD = 65_536;
/** Ids are 32 bits, and the last one means none. The first block is the host's own. */
const LAST_BLOCK = 65_534;
const USER_NAMESPACE_FILE = 'userns';
const MAX_FILE_BYTES = 4096;

/**
 * The ids on the host that a pod with a user namespace of its own has: a block that no other pod has. It is noted in the
 * pod's directory, as a kubelet does, and goes with that directory; nothing else remembers it. Calls must come one after
 * the other.
 *
 * @throws when no block is left, or a note cannot be read: its block may be in use.
 */
export async function ensureUserNamespace(podsDir: string, podUid: string): Promise<IdMapping> {
  const directory = podDirectory(podsDir, podUid);
  const own = await readBlock(directory);
  if (own !== undefined) return mappingOf(own);
  const taken = new Set<number | undefined>();
  for (const uid of (await readdirIfThere(podsDir)).filter(isPodUid)) {
    taken.add(await readBlock(podDirectory(podsDir, uid)));
  }
  const block = firstFree(taken);
  const mapping = mappingOf(block);
  await mkdir(directory, { recursive: true, mode: OWN_DIRECTORY_MODE });
  const note = { uidMappings: [mapping], gidMappings: [mapping] };
  await writeFileAtomic(join(directory, USER_NAMESPACE_FILE), JSON.stringify(note), { mode: 0o600 });
  return mapping;
}

function mappingOf(block: number): IdMapping {
  return { hostId: block * IDS_PER_POD, containerId: 0, length: IDS_PER_POD };
}

function firstFree(taken: ReadonlySet<number | undefined>): number {
  for (let block = 1; block <= LAST_BLOCK; block += 1) {
    if (!taken.has(block)) return block;
  }
  throw new Error('no user ids are left for another pod with hostUsers=false');
}

async function readBlock(directory: string): Promise<number | undefined> {
  const path = join(directory, USER_NAMESPACE_FILE);
  let text: string;
  try {
    text = (await readRegularFile(path, { maxBytes: MAX_FILE_BYTES })).data.toString();
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  const match = /"hostId":(\d{1,10})\b/.exec(text);
  const block = Number(match?.[1]) / IDS_PER_POD;
  if (!Number.isInteger(block) || block < 1 || block > LAST_BLOCK) throw new Error(`${path} cannot be understood`);
  return block;
}

async function readdirIfThere(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  }
}
