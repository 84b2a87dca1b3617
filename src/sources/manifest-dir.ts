import type { BigIntStats } from 'node:fs';
import { lstat, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { DecodedFile } from '../api/decode/decode.ts';
import { StatusError } from '../api/status-error.ts';
import type { Logger } from '../util/log.ts';
import { readRegularFile } from '../util/safe-fs.ts';
import { type CheckedManifest, checkManifest, type ManifestNode } from './check-manifest.ts';
import { DirectoryWatch } from './directory-watch.ts';
import { objectName, type StaticObject } from './static-object.ts';
import { type DesiredPods, fullName, type StaticPod } from './static-pod.ts';

/** A kubelet's limit for a manifest (maxConfigLength). */
const maxFileBytes = 10 * 1024 * 1024;

/** After the last change this long nothing is read, so that a file that is being written is mostly seen whole. */
const settleMs = 100;

/** Problems of one file that are told; a broken file can have thousands. */
const maxProblems = 20;

export interface ManifestSourceOptions extends ManifestNode {
  readonly directory: string;
  readonly decoder: { decodeAll(bytes: Uint8Array): Promise<DecodedFile> };
  readonly logger: Logger;
  /** Full scans at least this often: changes of what a symbolic link leads to are not told by the kernel. */
  readonly scanIntervalMs: number;
  readonly sink: { apply(desired: DesiredPods): Promise<void> };
  /** Told once of each mistake in a file; the file is '' when the directory itself is meant. */
  report(file: string, message: string): void;
}

/** The content of a file is wrong, in every way that the message says. */
class ManifestError extends Error {}

type FileContent = Pick<CheckedManifest, 'pods' | 'objects'>;

/** What is known of one file. */
interface ManifestFile {
  /** Changes with the file: it is read again only then. */
  readonly signature: string;
  /** Of the last version without a mistake; undefined while there was none since the daemon started. */
  readonly content: FileContent | undefined;
  readonly problem: string | undefined;
}

/**
 * Reads the manifest directory: whenever the kernel tells of a change, and completely each `scanIntervalMs`. A file with
 * any mistake changes nothing, its last good version counts; nor does a directory that cannot be read. So no pod ends
 * because of a half-written file or a file system that is away.
 */
export class ManifestSource {
  readonly #options: ManifestSourceOptions;
  readonly #watch: DirectoryWatch;
  readonly #files = new Map<string, ManifestFile>();
  /** Names that are asked for twice, with what was told of it. */
  #told: ReadonlySet<string> = new Set();
  #directoryProblem: string | undefined;
  #stopped = false;
  #running: Promise<void> | undefined;

  constructor(options: ManifestSourceOptions) {
    this.#options = options;
    this.#watch = new DirectoryWatch(options.directory, options.logger);
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#watch.stop();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { scanIntervalMs, logger } = this.#options;
    while (!this.#stopped) {
      try {
        // Before the scan: what changes during it is seen by the next one.
        await this.#watch.refresh();
        await this.#scan();
      } catch (error) {
        logger.error({ err: error }, 'the manifest directory could not be read, it is tried again');
      }
      await this.#watch.wait(scanIntervalMs, settleMs);
    }
  }

  async #scan(): Promise<void> {
    const names = await this.#list();
    if (names === undefined) return;
    for (const name of this.#files.keys()) if (!names.includes(name)) this.#files.delete(name);
    for (const name of names) {
      if (this.#stopped) return;
      await this.#read(name);
    }
    await this.#options.sink.apply(this.#desired());
  }

  /** Names of manifests in their order; undefined when the directory cannot be read. */
  async #list(): Promise<string[] | undefined> {
    const { directory } = this.#options;
    try {
      const names = await readdir(directory);
      this.#directoryProblem = undefined;
      return names.filter(isManifestName).sort();
    } catch (error) {
      const message = `the directory cannot be read, its pods stay as they are: ${reasonOf(error)}`;
      if (message !== this.#directoryProblem) this.#options.report('', message);
      this.#directoryProblem = message;
      return undefined;
    }
  }

  async #read(name: string): Promise<void> {
    const known = this.#files.get(name);
    const path = join(this.#options.directory, name);
    let signature = '';
    try {
      const stats = await stat(path, { bigint: true });
      if (stats.isDirectory()) return;
      signature = signatureOf(stats);
      if (known?.signature === signature) return;
      const data = await readManifest(path);
      // Written to meanwhile: what was read may be a part only. The change brings us here again.
      if (signatureOf(await stat(path, { bigint: true })) !== signature) return;
      this.#files.set(name, { signature, content: await this.#parse(data, name), problem: undefined });
    } catch (error) {
      // The decoder had no time, which says nothing about the file.
      if (error instanceof StatusError) throw error;
      if (isMissing(error) && !(await isLink(path))) {
        this.#files.delete(name);
        return;
      }
      const problem = reasonOf(error);
      if (known?.problem !== problem) this.#options.report(name, problem);
      // What is wrong with the content stays wrong until the file changes; what the system refused is tried again.
      this.#files.set(name, {
        signature: error instanceof ManifestError ? signature : '',
        content: known?.content,
        problem,
      });
    }
  }

  /** @throws ManifestError */
  async #parse(data: Uint8Array, name: string): Promise<FileContent> {
    const { documents, errors } = await this.#options.decoder.decodeAll(data);
    const checked = documents.map((document) => ({
      ...checkManifest(document, name, this.#options),
      line: document.line,
    }));
    const problems = [
      ...errors.map(({ message }) => message),
      ...checked.flatMap(({ problems, line }) => problems.map((problem) => `document at line ${line}: ${problem}`)),
    ];
    if (problems.length > maxProblems) problems.splice(maxProblems, Number.POSITIVE_INFINITY, '...');
    if (problems.length > 0) throw new ManifestError(problems.join('\n'));
    return { pods: checked.flatMap(({ pods }) => pods), objects: checked.flatMap(({ objects }) => objects) };
  }

  /** Of pods and objects with the same name the first counts, in the order of file names and then within the file. */
  #desired(): DesiredPods {
    const pods = new Map<string, StaticPod>();
    const objects = new Map<string, StaticObject>();
    const told = new Set<string>();
    const unreadFiles = new Set<string>();
    const addFirst = <T extends { readonly file: string }>(known: Map<string, T>, name: string, item: T) => {
      const first = known.get(name);
      if (first === undefined) return void known.set(name, item);
      const message = `the ${name} is in ${first.file} already`;
      told.add(`${item.file}: ${message}`);
      if (!this.#told.has(`${item.file}: ${message}`)) this.#options.report(item.file, message);
    };
    for (const [file, { content }] of [...this.#files].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (content === undefined) unreadFiles.add(file);
      for (const pod of content?.pods ?? []) addFirst(pods, `pod ${fullName(pod.pod)}`, pod);
      for (const item of content?.objects ?? []) addFirst(objects, objectName(item.kind, item.object), item);
    }
    this.#told = told;
    return { pods: [...pods.values()], objects: [...objects.values()], unreadFiles };
  }
}

/** Not hidden, not an editor's backup, swap or lock file. */
function isManifestName(name: string): boolean {
  return !/^[.#]|~$|\.(?:sw[a-z]|tmp|bak|orig|rej|dpkg-[a-z]+)$/.test(name);
}

function signatureOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join(':');
}

/** @throws ManifestError for a file that is too large, or the system's error. */
async function readManifest(path: string): Promise<Uint8Array> {
  const { data, truncated } = await readRegularFile(path, { maxBytes: maxFileBytes, followLinks: true });
  if (truncated) throw new ManifestError(`the file is larger than ${maxFileBytes / 1024 / 1024} MiB`);
  return data;
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/** A link that leads nowhere is a mistake to be told, and not the same as a removed file. */
async function isLink(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isSymbolicLink();
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
