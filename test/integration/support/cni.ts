import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

const systemPlugins = '/usr/lib/cni';

export interface CniOptions {
  /** Addresses of the pod network; a /24 by default, a /29 gives five pods before the pool is exhausted. */
  readonly prefixLength?: number;
}

/**
 * A pod network of its own: configuration, plugins, leases, and switches that make the bridge plugin fail. The plugin
 * directory holds links to the system's plugins but for `bridge`, a script that looks at the switches first.
 */
export class CniNetwork {
  readonly confDir: string;
  readonly binDir: string;
  readonly name: string;
  readonly #confFile: string;
  readonly #leaseDir: string;
  readonly #switchDir: string;
  readonly #conf: string;

  /** @param number chooses the subnet 10.213.NUMBER.0. */
  constructor(rootPath: string, name: string, number: number, options: CniOptions = {}) {
    this.name = name;
    this.confDir = join(rootPath, 'cni/net.d');
    this.binDir = join(rootPath, 'cni/bin');
    this.#leaseDir = join(rootPath, 'cni/leases');
    this.#switchDir = join(rootPath, 'cni/switches');
    this.#confFile = join(this.confDir, '10-pods.conflist');
    this.#conf = conflist(name, `10.213.${number}.0/${options.prefixLength ?? 24}`, this.#leaseDir);
  }

  create(): void {
    for (const directory of [this.confDir, this.binDir, this.#switchDir]) mkdirSync(directory, { recursive: true });
    for (const plugin of readdirSync(systemPlugins)) {
      if (plugin !== 'bridge') symlinkSync(join(systemPlugins, plugin), join(this.binDir, plugin));
    }
    writeFileSync(join(this.binDir, 'bridge'), switchedPlugin(this.#switchDir, join(systemPlugins, 'bridge')));
    chmodSync(join(this.binDir, 'bridge'), 0o755);
    this.writeConf();
  }

  /** containerd 1.6 notices a configuration that is written, not one that is moved back into place. */
  writeConf(): void {
    writeFileSync(this.#confFile, this.#conf);
  }

  removeConf(): void {
    rmSync(this.#confFile);
  }

  /** Makes ADD, DEL or CHECK fail with this message until `clear`. */
  fail(command: 'ADD' | 'DEL' | 'CHECK', message = `injected failure of ${command}`): void {
    writeFileSync(join(this.#switchDir, `fail-${command}`), message);
  }

  /** Delays a command. */
  slow(command: 'ADD' | 'DEL' | 'CHECK', seconds: number): void {
    writeFileSync(join(this.#switchDir, `slow-${command}`), String(seconds));
  }

  /** Holds a command up until `clear`. */
  hold(command: 'ADD' | 'DEL' | 'CHECK'): void {
    writeFileSync(join(this.#switchDir, `hold-${command}`), '');
  }

  clear(): void {
    for (const name of readdirSync(this.#switchDir)) {
      if (/^(fail|slow|hold)-/.test(name)) rmSync(join(this.#switchDir, name));
    }
  }

  /** What the runtime asked of the plugin so far, in order. */
  calls(): { command: string; containerId: string }[] {
    const file = join(this.#switchDir, 'calls');
    if (!existsSync(file)) return [];
    const lines = readFileSync(file, 'utf8').trim().split('\n');
    return lines.map((line) => {
      const [command = '', containerId = ''] = line.split(' ');
      return { command, containerId };
    });
  }

  /** Addresses that are given out at this moment. */
  leases(): string[] {
    const directory = join(this.#leaseDir, this.name);
    return existsSync(directory) ? readdirSync(directory).filter((name) => /^\d+\.|:/.test(name)) : [];
  }
}

function conflist(name: string, subnet: string, dataDir: string): string {
  const ipam = { type: 'host-local', dataDir, ranges: [[{ subnet }]], routes: [{ dst: '0.0.0.0/0' }] };
  const bridge = { type: 'bridge', bridge: name, isGateway: true, hairpinMode: true, ipam };
  const portmap = { type: 'portmap', capabilities: { portMappings: true }, snat: true };
  return JSON.stringify({ cniVersion: '1.0.0', name, plugins: [bridge, portmap] }, undefined, 2);
}

function switchedPlugin(switchDir: string, plugin: string): string {
  return `#!/bin/sh
cd ${switchDir} || exit 1
echo "$CNI_COMMAND $CNI_CONTAINERID" >>calls
while [ -e "hold-$CNI_COMMAND" ]; do sleep 0.05; done
if [ -e "slow-$CNI_COMMAND" ]; then sleep "$(cat "slow-$CNI_COMMAND")"; fi
if [ -e "fail-$CNI_COMMAND" ]; then
  printf '{"cniVersion":"1.0.0","code":100,"msg":"%s"}\\n' "$(cat "fail-$CNI_COMMAND")"
  exit 1
fi
exec ${plugin}
`;
}
