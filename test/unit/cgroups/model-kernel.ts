import type { CgroupIo } from '../../../src/cgroups/cgroup-io.ts';

/** What a new cgroup's directory holds, by the mount point that it is below. */
export type FilesOf = (mount: string, path: string) => Record<string, string>;

interface Dir {
  readonly files: Map<string, string>;
  readonly pids: Set<number>;
}

/**
 * A model of the kernel's cgroup file systems in memory: making a directory makes its files, removing one that has
 * processes or children is refused, and processes end when they are killed.
 */
export class ModelKernel implements CgroupIo {
  readonly dirs = new Map<string, Dir>();
  readonly killed: number[] = [];
  readonly writes: [file: string, value: string][] = [];
  /** Processes that do not end when they are killed. */
  readonly immortal = new Set<number>();
  /** Makes a write fail: error code by file, for all values or for one. */
  readonly refuse = new Map<string, string>();
  readonly #mounts: readonly string[];
  readonly #filesOf: FilesOf;
  nowMs = 0;

  constructor(mounts: readonly string[], filesOf: FilesOf) {
    this.#mounts = mounts;
    this.#filesOf = filesOf;
    for (const mount of mounts) this.#add(mount);
  }

  async mkdir(path: string): Promise<void> {
    if (this.dirs.has(path)) throw failure('EEXIST', path);
    if (!this.dirs.has(path.slice(0, path.lastIndexOf('/')))) throw failure('ENOENT', path);
    this.#add(path);
  }

  async rmdir(path: string): Promise<void> {
    const dir = this.dirs.get(path);
    if (!dir) throw failure('ENOENT', path);
    if (dir.pids.size > 0 || this.#children(path).length > 0) throw failure('EBUSY', path);
    this.dirs.delete(path);
  }

  async read(path: string): Promise<string> {
    const [dir, name] = split(path);
    if (name === 'cgroup.procs') return [...this.#dir(dir).pids].join('\n');
    const value = this.#dir(dir).files.get(name);
    if (value === undefined) throw failure('ENOENT', path);
    return `${value}\n`;
  }

  async write(path: string, value: string): Promise<void> {
    const [dirName, name] = split(path);
    const dir = this.#dir(dirName);
    if (!dir.files.has(name)) throw failure('ENOENT', path);
    const code = this.refuse.get(path) ?? this.refuse.get(`${path} ${value}`);
    if (code !== undefined) throw failure(code, path);
    this.writes.push([path, value]);
    if (name === 'cgroup.kill') this.#killBelow(dirName);
    else if (name === 'cgroup.subtree_control') this.#handDown(dirName, value);
    else dir.files.set(name, value);
  }

  async childDirs(path: string): Promise<string[]> {
    this.#dir(path);
    return this.#children(path);
  }

  kill(pid: number): void {
    this.killed.push(pid);
    if (this.immortal.has(pid)) return;
    for (const dir of this.dirs.values()) dir.pids.delete(pid);
  }

  async waitForChange(_: string, timeoutMs: number): Promise<void> {
    this.nowMs += timeoutMs;
  }

  async pause(ms: number): Promise<void> {
    this.nowMs += ms;
  }

  /** Makes directories as another program would. */
  make(...paths: readonly string[]): void {
    for (const path of paths) {
      const parent = path.slice(0, path.lastIndexOf('/'));
      if (!this.dirs.has(parent)) this.make(parent);
      if (!this.dirs.has(path)) this.#add(path);
    }
  }

  put(path: string, ...pids: readonly number[]): void {
    for (const pid of pids) this.#dir(path).pids.add(pid);
  }

  value(file: string): string | undefined {
    const [dir, name] = split(file);
    return this.dirs.get(dir)?.files.get(name);
  }

  #add(path: string): void {
    const mount = this.#mounts.find((candidate) => path === candidate || path.startsWith(`${candidate}/`)) ?? '';
    this.dirs.set(path, {
      files: new Map(Object.entries(this.#filesOf(mount, path.slice(mount.length)))),
      pids: new Set(),
    });
    const parent = this.dirs.get(path.slice(0, path.lastIndexOf('/')));
    if (parent?.files.has('cgroup.subtree_control') && path !== mount) {
      this.#give(path, parent.files.get('cgroup.subtree_control') ?? '');
    }
  }

  #handDown(dir: string, value: string): void {
    const { files } = this.#dir(dir);
    const wanted = value.split(' ').map((word) => word.slice(1));
    const available = (files.get('cgroup.controllers') ?? '').split(' ');
    if (wanted.some((controller) => !available.includes(controller))) throw failure('ENOENT', dir);
    const before = (files.get('cgroup.subtree_control') ?? '').split(' ').filter((word) => word !== '');
    const after = [...new Set([...before, ...wanted])].join(' ');
    files.set('cgroup.subtree_control', after);
    for (const child of this.#children(dir)) this.#give(`${dir}/${child}`, after);
  }

  /** A v2 cgroup shows the files of those controllers alone that it was given. */
  #give(dir: string, controllers: string): void {
    const { files } = this.#dir(dir);
    files.set('cgroup.controllers', controllers);
    const shown: Record<string, string[]> = {
      cpu: ['cpu.weight', 'cpu.max'],
      memory: ['memory.min', 'memory.low', 'memory.high', 'memory.max', 'memory.swap.max'],
      pids: ['pids.max'],
      hugetlb: ['hugetlb.2MB.max', 'hugetlb.1GB.max'],
    };
    for (const controller of controllers.split(' ')) {
      for (const file of shown[controller] ?? []) if (!files.has(file)) files.set(file, unlimited(file));
    }
  }

  #killBelow(path: string): void {
    for (const [name, dir] of this.dirs) {
      if (name === path || name.startsWith(`${path}/`)) for (const pid of [...dir.pids]) this.kill(pid);
    }
  }

  #children(path: string): string[] {
    return [...this.dirs.keys()]
      .filter((name) => name.startsWith(`${path}/`) && !name.slice(path.length + 1).includes('/'))
      .map((name) => name.slice(path.length + 1));
  }

  #dir(path: string): Dir {
    const dir = this.dirs.get(path);
    if (!dir) throw failure('ENOENT', path);
    return dir;
  }
}

function split(path: string): [dir: string, name: string] {
  const slash = path.lastIndexOf('/');
  return [path.slice(0, slash), path.slice(slash + 1)];
}

function failure(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}

/** What a new cgroup shows. */
function unlimited(file: string): string {
  return file === 'memory.min' || file === 'memory.low' ? '0' : 'max';
}
