import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import type { Pod } from '../../../src/api/pod.ts';
import { ApiClient, podPath, waitForPod } from './api-client.ts';
import { freePort } from './free-port.ts';
import { type CommandResult, type KubectlOptions, kubectl } from './kubectl.ts';
import { removeLeftovers } from './leftovers.ts';
import { projectRoot } from './machine.ts';
import { isAlive, sendSignal } from './processes.ts';
import { asService, mainPid } from './service-unit.ts';
import { claimTempRoot, type TempRoot } from './temp-root.ts';
import { GaveUp, waitFor } from './wait.ts';

export interface DaemonOptions {
  /** The runtime's fixture, or a proxy in front of it. */
  readonly runtime: { readonly endpoint: string };
  /** Settings beyond those that keep the daemon apart from others. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
  /** False: returns before the daemon is ready, for tests of its start. */
  readonly waitUntilReady?: boolean;
}

/** The flags of dist/mini-kubelet. */
const nodeFlags = [
  '--disable-sigusr1',
  '--disable-proto=delete',
  '--max-old-space-size=256',
  '--max-semi-space-size=2',
  '--expose-gc',
];

/** What V8 makes of the code may be kept for all daemons of a test run: their state directories are empty. */
const { NODE_COMPILE_CACHE } = process.env;
const compiledCode: Readonly<Record<string, string>> = NODE_COMPILE_CACHE === undefined ? {} : { NODE_COMPILE_CACHE };

/** Whether daemons run with no more rights than the installed service has. */
const runsAsService = process.env.MINI_KUBELET_TEST_AS_SERVICE !== undefined;

/** Starts a daemon with directories, sockets, port and cgroup of its own. */
export async function startDaemon(options: DaemonOptions): Promise<DaemonFixture> {
  const daemon = new DaemonFixture(claimTempRoot('d'), options, await freePort());
  try {
    daemon.writeConfig();
    await daemon.start(options.waitUntilReady ?? true);
    return daemon;
  } catch (error) {
    const log = daemon.log();
    await daemon.stop();
    throw new Error(`the daemon did not come up; its log:\n${log}`, { cause: error });
  }
}

/**
 * The sources as they are, or the launcher that the environment names: the whole test run names the one that is installed.
 * It becomes the daemon, so that the pid is the daemon's.
 */
function program(...args: string[]): [string, string[]] {
  const launcher = process.env.MINI_KUBELET_TEST_LAUNCHER;
  if (launcher !== undefined) return [launcher, args];
  return [process.execPath, [...nodeFlags, join(projectRoot, 'src/main.ts'), ...args]];
}

export class DaemonFixture {
  readonly root: TempRoot;
  readonly port: number;
  readonly api: ApiClient;
  readonly stateDir: string;
  readonly runDir: string;
  readonly manifestsDir: string;
  readonly podLogsDir: string;
  readonly kubeconfig: string;
  readonly configFile: string;
  /** The cgroup that holds all pods, as a path beneath each hierarchy's mount point. */
  readonly cgroupRoot: string;
  readonly #options: DaemonOptions;
  readonly #logFile: string;
  #process: ChildProcess | undefined;

  constructor(root: TempRoot, options: DaemonOptions, port: number) {
    const inRoot = (name: string) => join(root.path, name);
    this.root = root;
    this.port = port;
    this.#options = options;
    this.#logFile = inRoot('daemon.log');
    this.stateDir = inRoot('state');
    this.runDir = inRoot('run');
    this.manifestsDir = inRoot('manifests');
    this.podLogsDir = inRoot('logs/pods');
    this.kubeconfig = inRoot('admin.kubeconfig');
    this.configFile = inRoot('config.yaml');
    this.cgroupRoot = `/${root.name}`;
    this.api = new ApiClient(join(this.runDir, 'api.sock'));
  }

  get pid(): number {
    if (this.#process?.pid === undefined) throw new Error('the daemon is not running');
    return runsAsService ? mainPid(this.root.name) : this.#process.pid;
  }

  /** Writes the configuration file; with changes for the next start. */
  writeConfig(changes: Readonly<Record<string, unknown>> = {}): void {
    mkdirSync(this.manifestsDir, { recursive: true });
    const settings = {
      nodeName: this.root.name,
      containerRuntimeEndpoint: this.#options.runtime.endpoint,
      staticPodPath: this.manifestsDir,
      cgroupRoot: this.cgroupRoot,
      podLogsDir: this.podLogsDir,
      containerLogLinksDirectory: join(this.root.path, 'logs/containers'),
      port: this.port,
      stateDirectory: this.stateDir,
      runDirectory: this.runDir,
      kubeconfigPath: this.kubeconfig,
      logLevel: 'debug',
      ...this.#options.config,
      ...changes,
    };
    // JSON is YAML.
    writeFileSync(this.configFile, JSON.stringify(settings, undefined, 2));
  }

  /** Starts the process, and by default returns when `/readyz` says yes. */
  async start(waitUntilReady = true): Promise<void> {
    if (this.#process) throw new Error('the daemon is running already');
    const log = openSync(this.#logFile, 'a');
    const daemon = program('--config', this.configFile);
    const env = { ...compiledCode, ...this.#options.env };
    const [file, args] = runsAsService ? asService(this.root.name, daemon, env) : daemon;
    const child = spawn(file, args, {
      // A process group of its own: Ctrl-C at the terminal must not reach it before the fixture stops it in order.
      detached: true,
      cwd: '/',
      stdio: ['ignore', log, log],
      env: {
        PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        // What runs it as a service looks for systemd's own bus, not for one that is meant for the daemon.
        ...(runsAsService ? {} : env),
      },
    });
    this.#process = child;
    child.once('exit', () => {
      if (this.#process === child) this.#process = undefined;
    });
    if (waitUntilReady) await this.waitUntilReady();
  }

  async waitUntilReady(timeoutMs = 30_000): Promise<void> {
    await waitFor(
      'the daemon to be ready',
      async () => {
        if (this.#process === undefined) throw new GaveUp('the daemon has ended');
        return (await this.api.request('GET', '/readyz')).status === 200;
      },
      timeoutMs,
    );
  }

  /** SIGKILL, with no chance to tidy up. */
  async kill9(): Promise<void> {
    await this.end('SIGKILL');
  }

  /** Sends a signal and waits for the end; returns the exit code, null after a deadly signal. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const child = this.#process;
    if (child === undefined) return null;
    const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
    this.signal(signal);
    return ended;
  }

  /** Resolves when the process has ended by itself. */
  async exited(): Promise<number | null> {
    const child = this.#process;
    if (child === undefined) return null;
    return new Promise((resolve) => child.once('exit', (code) => resolve(code)));
  }

  signal(signal: NodeJS.Signals): void {
    sendSignal(this.pid, signal);
  }

  async restart(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await this.end(signal);
    await this.start();
  }

  /** Runs the program with other arguments beside the daemon: `config check`, `--help`, or a second daemon. */
  async runProgram(args: readonly string[], timeoutMs = 20_000): Promise<CommandResult> {
    const result = await execa(...program(...args), {
      reject: false,
      timeout: timeoutMs,
      cwd: '/',
    });
    if (result.exitCode === undefined) throw new Error(`${args.join(' ')}: ${result.shortMessage}`);
    return { exitCode: result.exitCode, stdout: result.stdout, stderr: result.stderr };
  }

  async createPod(pod: object, namespace = 'default'): Promise<Pod> {
    return this.api.expectOk<Pod>('POST', `/api/v1/namespaces/${namespace}/pods`, { body: pod });
  }

  async getPod(name: string, namespace = 'default'): Promise<Pod> {
    return this.api.expectOk<Pod>('GET', podPath(name, namespace));
  }

  /** Deletes and waits until the object is gone. */
  async deletePod(name: string, options: { namespace?: string; gracePeriodSeconds?: number } = {}): Promise<void> {
    const { namespace = 'default', gracePeriodSeconds } = options;
    const query = gracePeriodSeconds === undefined ? '' : `?gracePeriodSeconds=${gracePeriodSeconds}`;
    await this.api.expectOk('DELETE', podPath(name, namespace) + query);
    await this.waitForPod(name, (pod) => pod === undefined, { namespace });
  }

  /** @see waitForPod */
  async waitForPod(
    name: string,
    predicate: (pod: Pod | undefined) => boolean,
    options: { namespace?: string; timeoutMs?: number } = {},
  ): Promise<Pod | undefined> {
    return waitForPod(this.api, name, predicate, options);
  }

  /** Waits for a pod that exists and meets the predicate. */
  async waitForExistingPod(
    name: string,
    predicate: (pod: Pod) => boolean,
    options: { namespace?: string; timeoutMs?: number } = {},
  ): Promise<Pod> {
    const pod = await this.waitForPod(name, (seen) => seen !== undefined && predicate(seen), options);
    if (pod === undefined) throw new Error(`pod ${name} does not exist`);
    return pod;
  }

  async containerLog(pod: string, container: string, query = '', namespace = 'default'): Promise<string> {
    const path = `${podPath(pod, namespace)}/log?container=${container}${query === '' ? '' : `&${query}`}`;
    const response = await this.api.request('GET', path);
    if (response.status !== 200) throw new Error(`GET ${path}: ${response.status} ${response.text}`);
    return response.text;
  }

  kubectl(args: readonly string[], options: KubectlOptions = {}): Promise<CommandResult> {
    return kubectl(this.kubeconfig, args, options);
  }

  /** What the daemon has logged since its first start. */
  log(): string {
    return existsSync(this.#logFile) ? readFileSync(this.#logFile, 'utf8') : '';
  }

  /** Ends the daemon and removes all that it has made, pods' processes included. */
  async stop(): Promise<void> {
    if (this.#process?.pid !== undefined && isAlive(this.#process.pid)) {
      this.signal('SIGCONT');
      await this.end('SIGKILL');
    }
    await removeLeftovers(this.root);
  }
}
