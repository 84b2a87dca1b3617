import type { Container, Pod } from '../api/pod.ts';
import type { LocalImage } from '../images/image-manager.ts';
import type { PodSandboxConfig } from '../runtime/generated/runtime/v1/PodSandboxConfig.ts';
import type { ImageVolumeSupport } from '../runtime/runtime-monitor.ts';
import type { MountedVolumes } from '../volumes/volume-manager.ts';
import type { PodServices } from './services.ts';
import { type Settled, settle } from './settled.ts';

/** The images of volumes, by the volume's name. */
export type ImageVolumes = ReadonlyMap<string, Promise<Settled<LocalImage>>>;

/**
 * Why the runtime cannot mount the volumes of images as the containers want them; undefined when it can. It would run them
 * all the same: with nothing mounted, or with the whole image instead of a part. PURE.
 */
export function imageVolumeProblem(
  { spec }: Pod,
  containers: readonly Container[],
  support: ImageVolumeSupport,
): string | undefined {
  if (support === 'subPath') return undefined;
  const names = (spec.volumes ?? []).filter(({ image }) => image).map(({ name }) => name);
  for (const container of containers) {
    for (const mount of container.volumeMounts ?? []) {
      if (!names.includes(mount.name)) continue;
      const volume = `volume ${JSON.stringify(mount.name)}`;
      if (support === 'none') return `${volume}: the container runtime does not support volumes of images`;
      if (mount.subPath || mount.subPathExpr) {
        return `subPath of ${volume} in container ${JSON.stringify(container.name)}: the container runtime mounts images only as a whole`;
      }
    }
  }
  return undefined;
}

/** The names of the images that the volumes of a pod have their files from, for as long as it may still start containers. PURE. */
export function imagesOfVolumes({ spec, status }: Pod): string[] {
  if (status?.phase === 'Failed' || status?.phase === 'Succeeded') return [];
  return (spec.volumes ?? []).flatMap(({ image }) => image?.reference ?? []);
}

/** Gets the images of those volumes that the containers mount, as images of containers are got. */
export function ensureImageVolumes(
  { images }: Pick<PodServices, 'images'>,
  pod: Pod,
  containers: readonly Container[],
  config: PodSandboxConfig,
  signal: AbortSignal,
): ImageVolumes {
  const mounted = containers.flatMap(({ volumeMounts = [] }) => volumeMounts.map(({ name }) => name));
  const found = new Map<string, Promise<Settled<LocalImage>>>();
  for (const { name, image } of pod.spec.volumes ?? []) {
    if (!image || !mounted.includes(name)) continue;
    const wanted = { image: image.reference, imagePullPolicy: image.pullPolicy };
    found.set(name, settle(images.ensureImage(pod, wanted, config, signal)));
  }
  return found;
}

/** All that a container mounts: the other volumes and those of images. @throws ImageError for an image that could not be got. */
export async function withImageVolumes(
  { volumeMounts = [] }: Container,
  volumes: MountedVolumes,
  imageVolumes: ImageVolumes,
): Promise<MountedVolumes> {
  const all = new Map(volumes);
  for (const { name } of volumeMounts) {
    const image = await imageVolumes.get(name);
    if (!image) continue;
    if ('error' in image) throw image.error;
    all.set(name, { hostPath: '', image: image.value.id, isManaged: false, readOnly: true });
  }
  return all;
}
