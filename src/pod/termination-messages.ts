import type { Pod } from '../api/pod.ts';
import { containerLogPath } from '../logs/paths.ts';
import { readLogTail } from '../logs/read.ts';
import type { ObservedContainer, ObservedPod } from '../runtime/observed.ts';
import { LOG_TAIL } from '../volumes/termination-log.ts';
import type { PodServices } from './services.ts';

/**
 * What the containers that ended left as their last words, by container id. What was read before is not read again; what
 * cannot be read counts as nothing.
 */
export async function readTerminationMessages(
  services: PodServices,
  pod: Pod,
  observed: ObservedPod,
  known: ReadonlyMap<string, string>,
): Promise<ReadonlyMap<string, string>> {
  const ended = observed.containers.filter((container) => container.state === 'EXITED');
  if (ended.every((container) => known.has(container.id))) return known;
  const { volumes, settings } = services;
  const { namespace = '', name = '', uid } = pod.metadata;
  const read = async (container: ObservedContainer): Promise<string> => {
    const path = containerLogPath({ namespace, name, uid }, container.containerName, container.restartCount);
    return await volumes.readTerminationMessage(pod, container, () =>
      readLogTail(settings.logDirectory, path, LOG_TAIL),
    );
  };
  return new Map(
    await Promise.all(
      ended.map(async (item): Promise<[string, string]> => [item.id, known.get(item.id) ?? (await read(item))]),
    ),
  );
}
