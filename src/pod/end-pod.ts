import { podKind } from '../api/kinds.ts';
import type { Pod } from '../api/pod.ts';
import { removeContainerLog, removePodLogs } from '../logs/cleanup.ts';
import { UnsafePathError } from '../util/safe-fs.ts';
import type { ActionOf } from './actions.ts';
import { messageOf, StepError } from './problems.ts';
import type { PodServices } from './services.ts';

/**
 * Stops a sandbox, which releases its address and host ports, and removes it with all containers that it has. Of a pod
 * that nobody knows any more the logs go first: nothing else would lead to them afterwards.
 */
export async function removeSandbox(services: PodServices, pod: Pod | undefined, sandboxId: string): Promise<void> {
  const { client, cache, settings } = services;
  try {
    await client.stopPodSandbox(sandboxId);
    const owner = pod ? undefined : cache.getSandbox(sandboxId)?.pod;
    if (owner) await removePodLogs(settings, owner);
    await client.removePodSandbox(sandboxId);
  } catch (error) {
    throw new StepError('FailedKillPod', `error removing pod sandbox: ${messageOf(error)}`, error);
  }
  cache.forgetSandbox(sandboxId);
}

/**
 * Removes a dead container, and before it the log that nobody can ask for any more: a log without its container would
 * count as a run of it.
 */
export async function removeContainer(services: PodServices, containerId: string): Promise<void> {
  const { client, cache, settings } = services;
  const container = cache.getContainer(containerId);
  // One that was made but not started has no log, or that of the one before it with the same count.
  if (container?.state === 'EXITED') {
    const { pod, containerName, restartCount } = container;
    await removeContainerLog(settings, pod, containerName, restartCount).catch((error: unknown) => {
      // Somebody put a link in the place of the directory: what it leads to is not ours to clear.
      if (!(error instanceof UnsafePathError)) throw error;
    });
  }
  await client.removeContainer(containerId);
  await cache.refreshContainer(containerId);
}

/** Gives back what a pod that ended for good does not need; its dead containers and their logs stay. */
export async function releaseResources(
  services: PodServices,
  pod: Pod,
  action: ActionOf<'releaseResources'>,
): Promise<void> {
  const { client, cache, volumes, cgroups } = services;
  const uid = pod.metadata.uid ?? '';
  for (const id of action.sandboxIds) {
    await client.stopPodSandbox(id);
    await cache.refreshSandbox(id);
  }
  await volumes.unmountPod(uid);
  await cgroups.removePod(uid);
}

/**
 * Removes the last traces of a deleted pod: volumes, directories, cgroup, logs, and then the object itself, so that an
 * object that is gone means that nothing of the pod is left.
 */
export async function finishDeletion(services: PodServices, pod: Pod): Promise<void> {
  const { volumes, cgroups, hooks, images, settings, store } = services;
  const { uid = '', namespace = '', name = '' } = pod.metadata;
  await volumes.unmountPod(uid);
  await cgroups.removePod(uid);
  await removePodLogs(settings, { uid, namespace, name });
  images.forgetPod(uid);
  hooks.forgetPod(uid);
  store.delete(podKind, namespace, name, { uid });
  await store.flushed();
}
