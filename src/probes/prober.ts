import { expand } from '../api/expansion.ts';
import type { Container, ExecAction, GRPCAction, HTTPGetAction, Probe, TCPSocketAction } from '../api/pod.ts';
import type { CriClient } from '../runtime/cri-client.ts';
import type { HealthClient } from '../runtime/health-client.ts';
import { RuntimeError } from '../runtime/runtime-error.ts';
import type { Clock } from '../util/clock.ts';
import { hostPort, resolveHost, resolvePort } from './address.ts';
import { withDeadline } from './deadline.ts';
import { httpTarget } from './http-target.ts';
import { type NetworkClient, NetworkError } from './network-client.ts';
import { describeNetworkError } from './network-error.ts';
import { failure, type ProbeOutcome, SUCCESS } from './outcome.ts';

/** What is asked, and of whom. */
export interface Question {
  readonly probe: Probe;
  readonly container: Container;
  readonly containerId: string;
  /** Undefined before the pod has an address. */
  readonly podIP: string | undefined;
}

export interface Asking {
  /** Never rejects. */
  readonly outcome: Promise<ProbeOutcome>;
  /** When nothing of it is under way any more: a command may go on after its time is over. Never rejects. */
  readonly ended: Promise<unknown>;
}

export interface ProberOptions {
  readonly client: Pick<CriClient, 'execSync'>;
  readonly network: NetworkClient;
  readonly health: HealthClient;
  readonly clock: Clock;
}

/** The Kubernetes release whose probes these are. */
export const PROBE_USER_AGENT = 'kube-probe/1.36';

/** When the question itself fails it is put anew, so often in all (maxProbeRetries in pkg/kubelet/prober/prober.go). */
const MAX_TRIES = 3;
/** As pkg/probe/exec: what a command says beyond this is not told. */
const MAX_OUTPUT_BYTES = 10 * 1024;
/** So long the runtime may take to tell that it has ended a command whose time was over. */
const EXEC_ANSWER_MS = 1000;

/** Work with a time limit, and what it means that the limit was reached. */
interface Attempt {
  readonly run: (signal: AbortSignal) => Promise<ProbeOutcome>;
  readonly limitMs: number;
  readonly lateMessage: string;
}

/** Asks containers how they are, by each of the four ways that a probe can name. */
export class Prober {
  readonly #options: ProberOptions;

  constructor(options: ProberOptions) {
    this.#options = options;
  }

  /** Takes at most the probe's time limit, and little more for a command that the runtime does not end. */
  ask(question: Question): Asking {
    const running: Promise<unknown>[] = [];
    const outcome = this.#ask(question, running);
    return { outcome, ended: outcome.then(() => Promise.allSettled(running)) };
  }

  async #ask(question: Question, running: Promise<unknown>[]): Promise<ProbeOutcome> {
    for (let tries = 1; ; tries += 1) {
      const outcome = await this.#try(question, running);
      if (outcome.kind !== 'unknown' || outcome.message === undefined || tries === MAX_TRIES) return outcome;
    }
  }

  async #try(question: Question, running: Promise<unknown>[]): Promise<ProbeOutcome> {
    try {
      const { run, limitMs, lateMessage } = this.#attempt(question);
      const work = (signal: AbortSignal) => {
        const promise = run(signal);
        running.push(promise);
        return promise;
      };
      const timely = await withDeadline(work, limitMs, this.#options.clock);
      switch (timely.kind) {
        case 'done':
          return timely.value;
        case 'late':
          return failure(lateMessage);
        case 'stalled':
          return { kind: 'unknown', message: undefined };
      }
    } catch (error) {
      // While the runtime is away the node says so, and every command would repeat it.
      if (error instanceof RuntimeError && error.isUnavailable) return { kind: 'unknown', message: undefined };
      return { kind: 'unknown', message: error instanceof Error ? error.message : String(error) };
    }
  }

  #attempt(question: Question): Attempt {
    const { exec, httpGet, tcpSocket, grpc } = question.probe;
    const seconds = Math.max(question.probe.timeoutSeconds ?? 1, 1);
    if (exec) return this.#exec(question, exec, seconds);
    if (httpGet) return this.#http(question, httpGet, seconds);
    if (tcpSocket) return this.#tcp(question, tcpSocket, seconds);
    if (grpc) return this.#grpc(question, grpc, seconds);
    throw new Error('the probe has no handler');
  }

  #exec({ container, containerId }: Question, action: ExecAction, seconds: number): Attempt {
    const command = staticCommand(action, container);
    const lateMessage = `command timed out: "${command.join(' ')}" timed out after ${seconds}s`;
    const run = async (): Promise<ProbeOutcome> => {
      try {
        const { exitCode, stdout, stderr } = await this.#options.client.execSync(containerId, command, seconds);
        if (exitCode === 0) return SUCCESS;
        return failure(Buffer.concat([stdout, stderr]).subarray(0, MAX_OUTPUT_BYTES).toString('utf8'));
      } catch (error) {
        if (!(error instanceof RuntimeError)) throw error;
        if (error.code === 'DEADLINE_EXCEEDED') return failure(lateMessage);
        // More output than the runtime's interface can carry.
        if (error.code === 'RESOURCE_EXHAUSTED') return failure(error.message);
        throw error;
      }
    };
    // Not given up at the deadline: a runtime whose caller goes away may leave the command running.
    return { run, limitMs: seconds * 1000 + EXEC_ANSWER_MS, lateMessage };
  }

  #http({ container, podIP }: Question, action: HTTPGetAction, seconds: number): Attempt {
    const target = httpTarget(action, container, podIP, PROBE_USER_AGENT);
    const run = async (signal: AbortSignal): Promise<ProbeOutcome> => {
      try {
        const { statusCode, body } = await this.#options.network.httpGet(target, signal);
        if (statusCode < 200 || statusCode >= 400) return failure(`HTTP probe failed with statuscode: ${statusCode}`);
        return statusCode < 300
          ? SUCCESS
          : { kind: 'success', warning: `Probe terminated redirects, Response body: ${body}` };
      } catch (error) {
        if (!(error instanceof NetworkError) || error.isBodyCut) throw error;
        return failure(error.message);
      }
    };
    const url = `${target.scheme}://${hostPort(target.host, target.port)}${target.path}`;
    const lateMessage = `Get "${url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`;
    return { run, limitMs: seconds * 1000, lateMessage };
  }

  #tcp({ container, podIP }: Question, action: TCPSocketAction, seconds: number): Attempt {
    const host = resolveHost(action.host, podIP);
    const port = resolvePort(action.port, container);
    const run = async (signal: AbortSignal): Promise<ProbeOutcome> => {
      try {
        await this.#options.network.tcpConnect(host, port, signal);
        return SUCCESS;
      } catch (error) {
        if (!(error instanceof NetworkError)) throw error;
        return failure(error.message);
      }
    };
    return { run, limitMs: seconds * 1000, lateMessage: `dial tcp ${hostPort(host, port)}: i/o timeout` };
  }

  #grpc({ podIP }: Question, action: GRPCAction, seconds: number): Attempt {
    const address = hostPort(resolveHost(undefined, podIP), action.port);
    const lateMessage = `timeout: health rpc did not complete within ${seconds}s`;
    const run = async (signal: AbortSignal): Promise<ProbeOutcome> => {
      try {
        const status = await this.#options.health.check(address, action.service ?? '', signal);
        return status === 'SERVING' ? SUCCESS : failure(`service unhealthy (responded with "${status}")`);
      } catch (error) {
        if (!(error instanceof RuntimeError)) throw error;
        return failure(healthFailure(error, address));
      }
    };
    return { run, limitMs: seconds * 1000, lateMessage };
  }
}

function healthFailure({ code, details, cause }: RuntimeError, address: string): string {
  if (code === 'UNIMPLEMENTED') {
    return `error: this server does not implement the grpc health protocol (grpc.health.v1.Health): ${details}`;
  }
  const words = cause === undefined ? details : describeNetworkError(cause, address);
  return `error: health rpc probe failed: rpc error: code = ${goCode(code)} desc = ${words}`;
}

/** `NOT_FOUND` as Go writes it: `NotFound`. */
function goCode(code: string): string {
  const words = code.split('_').map((word) => word.slice(0, 1) + word.slice(1).toLowerCase());
  return words.join('');
}

/**
 * The command with `$(NAME)` filled in from variables that the manifest gives a value; others count as empty
 * (ExpandContainerCommandOnlyStatic in pkg/kubelet/container/helpers.go). PURE.
 */
export function staticCommand(action: ExecAction, container: Pick<Container, 'env'>): string[] {
  const values = new Map((container.env ?? []).map(({ name, value }) => [name, value ?? '']));
  return (action.command ?? []).map((text) => expand(text, values));
}
