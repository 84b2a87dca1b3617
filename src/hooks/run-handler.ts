import { setTimeout as delay } from 'node:timers/promises';
import type { ContainerPort, HTTPGetAction, LifecycleHandler } from '../api/pod.ts';
import { hostPort, resolveHost, resolvePort } from '../probes/address.ts';
import { type HttpTarget, httpTarget } from '../probes/http-target.ts';
import { type NetworkClient, NetworkError } from '../probes/network-client.ts';
import { isPlainHttpAnswer } from '../probes/network-error.ts';
import type { CriClient } from '../runtime/cri-client.ts';
import { RuntimeError } from '../runtime/runtime-error.ts';

/** Where a hook acts. */
export interface HookTarget {
  readonly containerId: string;
  readonly containerName: string;
  /** The pod's address, for handlers that name no host; undefined when it has none. */
  readonly podIP: string | undefined;
  /** The container's ports, for handlers that name one. */
  readonly ports: readonly ContainerPort[];
}

export interface HookClients {
  readonly client: Pick<CriClient, 'execSync'>;
  readonly network: Pick<NetworkClient, 'httpGet' | 'tcpConnect'>;
}

export interface HandlerResult {
  /** Set when a server was to be asked in HTTPS, answered in HTTP, and was asked again so: `10.0.0.2:8080`. */
  readonly fellBackAt?: string;
}

const USER_AGENT = 'kube-lifecycle/1.36';
/** More than that of what a command wrote is of no use in an event. */
const MAX_OUTPUT_CHARACTERS = 512;
/** A timer's limit is 2^31 ms: a hook that sleeps for longer sleeps for so long. */
const MAX_SLEEP_MS = 2 ** 31 - 1;

/**
 * Does what a postStart or preStop handler says, with no time limit of its own (pkg/kubelet/lifecycle/handlers.go). A
 * kubelet takes a tcpSocket handler for an invalid one; here it succeeds when the connection is accepted.
 *
 * @throws Error that says what failed, also when `signal` is aborted.
 */
export async function runHandler(
  { client, network }: HookClients,
  handler: LifecycleHandler,
  target: HookTarget,
  signal: AbortSignal,
): Promise<HandlerResult> {
  const { exec, httpGet, tcpSocket, sleep } = handler;
  if (httpGet) return await ask(network, httpGet, target, signal);
  if (exec) {
    await runCommand(client, target.containerId, exec.command ?? [], signal);
  } else if (tcpSocket) {
    const port = resolvePort(tcpSocket.port, portsOf(target));
    await network.tcpConnect(resolveHost(tcpSocket.host, target.podIP), port, signal);
  } else if (sleep) {
    await delay(Math.min(Math.max(sleep.seconds, 0) * 1000, MAX_SLEEP_MS), undefined, { signal });
  } else {
    throw new Error('the hook has no handler');
  }
  return {};
}

async function runCommand(
  client: HookClients['client'],
  containerId: string,
  command: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const { exitCode, stdout, stderr } = await client
    .execSync(containerId, command, 0, { signal, timeoutMs: Number.POSITIVE_INFINITY })
    .catch((error: unknown) => {
      throw new Error(`command ${JSON.stringify(command)}: ${wordsOf(error)}`, { cause: error });
    });
  if (exitCode === 0) return;
  const output = `${stdout.toString()}${stderr.toString()}`.trim().slice(-MAX_OUTPUT_CHARACTERS);
  throw new Error(`command ${JSON.stringify(command)} exited with ${exitCode}${output === '' ? '' : `: ${output}`}`);
}

function wordsOf(error: unknown): string {
  if (error instanceof RuntimeError) return error.details || error.message;
  return error instanceof Error ? error.message : String(error);
}

/** Any answer is a success, whatever its status. */
async function ask(
  network: HookClients['network'],
  action: HTTPGetAction,
  target: HookTarget,
  signal: AbortSignal,
): Promise<HandlerResult> {
  const http = httpTarget(action, portsOf(target), target.podIP, USER_AGENT);
  try {
    await get(network, http, signal);
    return {};
  } catch (error) {
    const isPlain = error instanceof NetworkError && isPlainHttpAnswer(error.cause);
    if (http.scheme !== 'https' || !isPlain) throw error;
    // Credentials were meant for a connection that nobody reads along.
    await get(network, { ...http, scheme: 'http', headers: withoutHeader(http.headers, 'authorization') }, signal);
    return { fellBackAt: hostPort(http.host, http.port) };
  }
}

async function get(network: HookClients['network'], target: HttpTarget, signal: AbortSignal): Promise<void> {
  try {
    await network.httpGet(target, signal);
  } catch (error) {
    // The server has answered.
    if (!(error instanceof NetworkError) || !error.isBodyCut) throw error;
  }
}

/** @param headers names and values in turns. */
function withoutHeader(headers: readonly string[], name: string): string[] {
  return headers.filter((_text, index) => headers[index - (index % 2)]?.toLowerCase() !== name);
}

function portsOf({ containerName, ports }: HookTarget) {
  return { name: containerName, ports: [...ports] };
}
