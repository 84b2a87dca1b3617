import type { Container, FileKeySelector } from '../api/pod.ts';
import { UnsafePathError } from '../util/safe-fs.ts';
import type { MountedVolumes } from '../volumes/container-mounts.ts';
import { EnvFileError, envFileValue, readEnvFile } from '../volumes/env-file.ts';

/** What files of volumes say of variables: a value, or why there is none. */
export type EnvFiles = ReadonlyMap<
  FileKeySelector,
  { readonly value: string } | { readonly problem: string } | undefined
>;

/** Reads the files that a container's variables are from, as they are now: other containers may have written them. */
export async function readEnvFiles(container: Container, volumes: MountedVolumes): Promise<EnvFiles> {
  const found = new Map<FileKeySelector, { value: string } | { problem: string } | undefined>();
  for (const { valueFrom } of container.env ?? []) {
    const ref = valueFrom?.fileKeyRef;
    if (!ref) continue;
    const volume = volumes.get(ref.volumeName);
    if (!volume) continue;
    try {
      const text = await readEnvFile(volume.hostPath, ref.path);
      const value = text === undefined ? undefined : envFileValue(text, ref.key);
      found.set(ref, value === undefined ? undefined : { value });
    } catch (error) {
      if (!(error instanceof EnvFileError) && !(error instanceof UnsafePathError)) throw error;
      found.set(ref, { problem: error.message });
    }
  }
  return found;
}
