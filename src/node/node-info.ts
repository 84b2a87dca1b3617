import { readFile } from 'node:fs/promises';
import { arch, release } from 'node:os';

/** What the node object tells of the machine. */
export interface MachineInfo {
  readonly machineId: string;
  readonly systemUuid: string;
  readonly bootId: string;
  readonly kernelVersion: string;
  readonly osImage: string;
  /** As Go names it: `amd64`, `arm64`. */
  readonly architecture: string;
}

export async function readMachineInfo(): Promise<MachineInfo> {
  const [machineId, systemUuid, bootId, osRelease] = await Promise.all([
    readText('/etc/machine-id'),
    readText('/sys/class/dmi/id/product_uuid'),
    readText('/proc/sys/kernel/random/boot_id'),
    readText('/etc/os-release'),
  ]);
  return {
    machineId,
    // A machine without DMI (many ARM boards, some VMs) has no other identity than this.
    systemUuid: systemUuid || machineId,
    bootId,
    kernelVersion: release(),
    osImage: parseOsImage(osRelease),
    architecture: goArchitecture(arch()),
  };
}

/** The distribution's name for people, from the text of os-release(5). PURE */
export function parseOsImage(osRelease: string): string {
  const value = /^PRETTY_NAME=(.*)$/m.exec(osRelease)?.[1]?.trim() ?? '';
  return value.replace(/^(["'])(.*)\1$/, '$2') || 'Linux';
}

/** PURE */
export function goArchitecture(nodeArch: string): string {
  const names: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', ppc64: 'ppc64le' };
  return names[nodeArch] ?? nodeArch;
}

async function readText(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch {
    // Each of these may be missing, and tells people of the machine, nothing more.
    return '';
  }
}
