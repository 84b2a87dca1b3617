import { randomUUID } from 'node:crypto';
import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { CriClient } from '../src/runtime/cri-client.ts';
import type { ContainerConfig } from '../src/runtime/generated/runtime/v1/ContainerConfig.ts';
import type { PodSandboxConfig } from '../src/runtime/generated/runtime/v1/PodSandboxConfig.ts';
import { loadProto } from '../src/runtime/proto.ts';
import type { RuntimeFixture } from '../test/integration/support/containerd.ts';
import type { GrpcFaultProxy } from '../test/integration/support/grpc-fault-proxy.ts';
import { concurrently } from './measure.ts';

/** The requests with which the daemon started one pod. */
export interface Template {
  readonly sandbox: PodSandboxConfig;
  readonly container: ContainerConfig;
}

/**
 * Takes the requests of the first pod that went through the proxy, which must still exist: the files that it has mounted
 * are copied to `directory`, so that the bare containers have as many mounts.
 */
export function recordedTemplate(proxy: GrpcFaultProxy, directory: string): Template {
  const { service } = loadProto().runtime.v1.RuntimeService;
  const run = proxy.calls('RunPodSandbox')[0];
  const create = proxy.calls('CreateContainer')[0];
  if (run === undefined || create === undefined) throw new Error('no pod was started through the proxy');
  const sandbox = service.RunPodSandbox.requestDeserialize(run.request).config;
  const container = service.CreateContainer.requestDeserialize(create.request).config;
  if (sandbox === null || container === null) throw new Error('a recorded request has no configuration');
  const mounts = container.mounts.map((mount, index) => {
    const hostPath = join(directory, String(index));
    cpSync(mount.hostPath, hostPath, { recursive: true });
    return { ...mount, hostPath };
  });
  return { sandbox, container: { ...container, mounts } };
}

/**
 * Starts pods by the three CRI calls alone, with the project's client and the daemon's own requests: what no daemon
 * can do without.
 */
export class BarePods {
  readonly #runtime: RuntimeFixture;
  readonly #template: Template;
  readonly #client: CriClient;
  readonly #sandboxes: string[] = [];

  constructor(runtime: RuntimeFixture, template: Template) {
    this.#runtime = runtime;
    this.#template = template;
    this.#client = new CriClient({ endpoint: runtime.endpoint });
  }

  async start(): Promise<void> {
    const uid = randomUUID();
    const { sandbox, container } = this.#template;
    const logDirectory = join(this.#runtime.root.path, 'bare', uid);
    mkdirSync(logDirectory, { recursive: true });
    const config = {
      ...sandbox,
      metadata: { ...sandbox.metadata, name: `bare-${uid}`, uid },
      logDirectory,
      linux: { ...sandbox.linux, cgroupParent: `/${this.#runtime.root.name}/bare-${uid}` },
    };
    const sandboxId = await this.#client.runPodSandbox(config, '');
    this.#sandboxes.push(sandboxId);
    const containerId = await this.#client.createContainer(sandboxId, container, config);
    await this.#client.startContainer(containerId);
  }

  async removeAll(): Promise<void> {
    await concurrently(this.#sandboxes.splice(0), 8, async (id) => {
      await this.#client.stopPodSandbox(id);
      await this.#client.removePodSandbox(id);
    });
  }

  close(): void {
    this.#client.close();
  }
}
