import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { buildImages, pauseImage } from '../../../scripts/images.ts';
import { run } from '../../../src/util/exec.ts';
import { CniNetwork, type CniOptions } from './cni.ts';
import { type ContainerdPaths, containerdConfig } from './containerd-config.ts';
import { RawCri } from './cri.ts';
import { killProcesses, removeLeftovers, shimSockets, unmountBeneath } from './leftovers.ts';
import { debianPackage } from './machine.ts';
import { commandLine, isAlive, isStopped, parentOf, pidsByCommandLine, sendSignal } from './processes.ts';
import { claimTempRoot, sweepAbandonedRoots, type TempRoot } from './temp-root.ts';
import { GaveUp, waitFor } from './wait.ts';

/** The lines of containerd that the tests know where to find, with the Debian release that carries each. */
const suites = { '1.6': 'bookworm', '1.7': 'trixie', '2.1': 'sid' } as const;
export type ContainerdLine = keyof typeof suites;

export interface ContainerdOptions {
  readonly version: ContainerdLine;
  readonly cni?: CniOptions;
  /** Handlers besides runc: what they are called, and the program of each. */
  readonly handlers?: Readonly<Record<string, string>>;
  /** A file with classes of block I/O; for containerd 1.7 and later. */
  readonly blockioConfig?: string;
}

/** The version that this run of the tests is for. */
export function wantedContainerd(): ContainerdLine {
  const wanted = process.env.MINI_KUBELET_TEST_CONTAINERD ?? '1.6';
  if (!(wanted in suites))
    throw new Error(`MINI_KUBELET_TEST_CONTAINERD is ${wanted}, not one of ${Object.keys(suites)}`);
  return wanted as ContainerdLine;
}

/** Starts a containerd that shares nothing with the machine's own one, with the test images in it. */
export async function startContainerd(options: ContainerdOptions): Promise<RuntimeFixture> {
  await sweepAbandonedRoots();
  const binDir = await containerdBinaries(options.version);
  const fixture = new RuntimeFixture(claimTempRoot('r'), binDir, options);
  try {
    await fixture.create();
    return fixture;
  } catch (error) {
    const log = fixture.log().split('\n').slice(-20).join('\n');
    await fixture.stop();
    throw new Error(`containerd ${options.version} did not come up; the end of its log:\n${log}`, { cause: error });
  }
}

/** The installed containerd where it is of the wanted line, else the package of the release that has it. */
async function containerdBinaries(line: ContainerdLine): Promise<string> {
  if (existsSync('/usr/bin/containerd')) {
    const { stdout } = await run('/usr/bin/containerd', ['--version']);
    if (versionIn(stdout).startsWith(`${line}.`)) return '/usr/bin';
  }
  return join(await debianPackage(suites[line], 'containerd'), 'usr/bin');
}

function versionIn(text: string): string {
  return /\b(\d+\.\d+\.\d+)/.exec(text)?.[1] ?? '';
}

export class RuntimeFixture {
  readonly root: TempRoot;
  readonly line: ContainerdLine;
  readonly socketPath: string;
  readonly endpoint: string;
  readonly network: CniNetwork;
  /** The runtime without any of the project's code in between. */
  readonly cri: RawCri;
  readonly #binDir: string;
  readonly #paths: ContainerdPaths;
  readonly #logFile: string;
  #process: ChildProcess | undefined;

  constructor(root: TempRoot, binDir: string, options: ContainerdOptions) {
    const inRoot = (name: string) => join(root.path, name);
    this.root = root;
    this.line = options.version;
    this.#binDir = binDir;
    this.socketPath = inRoot('c.sock');
    this.endpoint = `unix://${this.socketPath}`;
    this.network = new CniNetwork(root.path, root.name, root.number, options.cni);
    this.cri = new RawCri(this.socketPath);
    this.#logFile = inRoot('containerd.log');
    this.#paths = {
      root: inRoot('c'),
      state: inRoot('s'),
      socket: this.socketPath,
      cniBinDir: this.network.binDir,
      cniConfDir: this.network.confDir,
      registryConfDir: inRoot('certs.d'),
      optDir: inRoot('opt'),
      runcRoot: inRoot('runc'),
      handlers: options.handlers ?? {},
      blockioConfig: options.blockioConfig,
    };
  }

  get pid(): number {
    if (this.#process?.pid === undefined) throw new Error('containerd is not running');
    return this.#process.pid;
  }

  /** The whole version, such as 1.6.20. */
  async version(): Promise<string> {
    return versionIn((await run(join(this.#binDir, 'containerd'), ['--version'])).stdout);
  }

  async create(): Promise<void> {
    this.network.create();
    mkdirSync(this.#paths.registryConfDir);
    const major = Number((await this.version()).split('.')[0]);
    writeFileSync(this.#configFile, containerdConfig(major, this.#paths));
    await this.start();
    await this.#importImages();
  }

  get #configFile(): string {
    return join(this.root.path, 'containerd.toml');
  }

  /** Starts containerd and returns when it answers on its CRI service. */
  async start(): Promise<void> {
    if (this.#process) throw new Error('containerd is running already');
    const log = openSync(this.#logFile, 'a');
    const child = spawn(join(this.#binDir, 'containerd'), ['--config', this.#configFile], {
      // A process group of its own: Ctrl-C at the terminal must not reach it before the fixture stops it in order.
      detached: true,
      stdio: ['ignore', log, log],
      env: { PATH: `${this.#binDir}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin` },
    });
    this.#process = child;
    child.once('exit', () => {
      if (this.#process === child) this.#process = undefined;
    });
    await waitFor(
      'containerd to answer',
      () => {
        if (this.#process === undefined) throw new GaveUp(`containerd ended; see ${this.#logFile}`);
        return this.cri.call('Version', {}, 2_000);
      },
      30_000,
    );
  }

  async #importImages(): Promise<void> {
    const archive = join(this.root.path, 'images.tar');
    buildImages(archive, { forTests: true });
    await this.ctr('images', 'import', archive);
    rmSync(archive);
    // The CRI service learns of the images by an event, after the import.
    await waitFor(
      'the sandbox image',
      async () => (await this.cri.call('ImageStatus', { image: { image: pauseImage } })).image,
    );
  }

  /** Runs ctr in the namespace of Kubernetes. */
  async ctr(...args: string[]): Promise<string> {
    const options = ['--address', this.socketPath, '--namespace', 'k8s.io'];
    return (await run(join(this.#binDir, 'ctr'), [...options, ...args])).stdout;
  }

  /** SIGKILL: shims and containers go on. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    if (child?.pid === undefined) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  }

  /** Kill and start. */
  async restart(): Promise<void> {
    await this.kill();
    await this.start();
  }

  /**
   * Stops the process in its tracks: it accepts connections and answers none. Resolves when none of its threads runs any
   * more: a signal takes a moment to reach them all.
   */
  async pause(): Promise<void> {
    sendSignal(this.pid, 'SIGSTOP');
    await waitFor('all threads of containerd to stop', () => isStopped(this.pid));
  }

  resume(): void {
    sendSignal(this.pid, 'SIGCONT');
  }

  /**
   * What a power cut leaves behind: no process, mount, bridge nor run-time state, but the runtime's database and the
   * address leases on disk. The runtime is down afterwards; call `start`.
   */
  async simulatePowerCut(): Promise<void> {
    await this.kill();
    await killProcesses(this.root);
    await unmountBeneath(this.root.path);
    for (const socket of shimSockets(this.root.path)) rmSync(socket, { force: true });
    for (const path of [this.#paths.state, this.#paths.runcRoot]) rmSync(path, { recursive: true, force: true });
    await run('ip', ['link', 'delete', this.root.name]).catch(() => undefined);
  }

  log(): string {
    return existsSync(this.#logFile) ? readFileSync(this.#logFile, 'utf8') : '';
  }

  /** Network namespaces of sandboxes, whether or not a sandbox is still known. */
  networkNamespaces(): string[] {
    const directory = join(this.#paths.state, 'io.containerd.grpc.v1.cri', 'netns');
    return existsSync(directory) ? readdirSync(directory) : [];
  }

  /** The process id of a container's first process, as the shim wrote it down. */
  containerPid(containerId: string): number {
    const task = join(this.#paths.state, 'io.containerd.runtime.v2.task/k8s.io', containerId);
    return Number(readFileSync(join(task, 'init.pid'), 'utf8'));
  }

  /** The pid of the shim of a sandbox: the parent of all of its containers' first processes. */
  shimPid(sandboxId: string): number {
    return parentOf(this.containerPid(sandboxId));
  }

  /**
   * Shims of sandboxes that CRI does not tell of: no client can have them ended. A containerd that is killed while it
   * starts a shim, and comes back before that has told its address, takes it for dead; one that is killed while it takes
   * a sandbox back may have forgotten that before its shim.
   */
  async forgottenShims(): Promise<number[]> {
    const { items } = await this.cri.call('ListPodSandbox', {});
    const known = new Set(items.map(({ id }) => id));
    return pidsByCommandLine(`-address ${this.socketPath}`).filter((pid) => {
      const id = / -id (\S+)/.exec(commandLine(pid))?.[1];
      return id !== undefined && !known.has(id);
    });
  }

  /** Removes all sandboxes the regular way, so that CNI gives everything back, then whatever is left. */
  async stop(): Promise<void> {
    this.network.clear();
    if (this.#process?.pid !== undefined && isAlive(this.#process.pid)) {
      this.resume();
      await this.#removeSandboxes();
      await this.#end('SIGTERM');
    }
    this.cri.close();
    await removeLeftovers(this.root);
  }

  async #removeSandboxes(): Promise<void> {
    try {
      const { items } = await this.cri.call('ListPodSandbox', {}, 5_000);
      for (const { id } of items) {
        await this.cri.call('StopPodSandbox', { podSandboxId: id });
        await this.cri.call('RemovePodSandbox', { podSandboxId: id });
      }
    } catch (error) {
      // A test may have broken it beyond that. What stays behind is removed by hand.
      console.error(`sandboxes in ${dirname(this.socketPath)} are removed by hand: ${error}`);
    }
  }
}
