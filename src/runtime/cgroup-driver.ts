import type { CriClient } from './cri-client.ts';
import { RuntimeError } from './runtime-error.ts';

export type CgroupDriver = 'cgroupfs' | 'systemd';

/**
 * Which cgroup driver the runtime uses; pods must be made with the same. containerd 2 and CRI-O tell it. containerd 1 does
 * not, but shows its configuration in a verbose status.
 *
 * @throws RuntimeError when the runtime cannot be asked.
 */
export async function runtimeCgroupDriver(
  client: Pick<CriClient, 'runtimeConfig' | 'status'>,
): Promise<CgroupDriver | undefined> {
  try {
    const config = await client.runtimeConfig();
    return config.linux?.cgroupDriver === 'SYSTEMD' ? 'systemd' : 'cgroupfs';
  } catch (error) {
    if (!(error instanceof RuntimeError) || error.code !== 'UNIMPLEMENTED') throw error;
  }
  const { info } = await client.status({ verbose: true });
  return info.config === undefined ? undefined : containerdCgroupDriver(info.config);
}

/** Reads `SystemdCgroup` of the default runtime out of containerd's configuration; undefined if it has none. PURE. */
export function containerdCgroupDriver(configJson: string): CgroupDriver | undefined {
  let config: unknown;
  try {
    config = JSON.parse(configJson);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  const containerd = field(config, 'containerd');
  const name = field(containerd, 'defaultRuntimeName');
  const runtime = field(field(containerd, 'runtimes'), typeof name === 'string' ? name : 'runc');
  if (runtime === undefined) return undefined;
  return field(field(runtime, 'options'), 'SystemdCgroup') === true ? 'systemd' : 'cgroupfs';
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}
