import type { ContainerStatus, Pod } from '../api/pod.ts';
import { badRequest } from '../api/status-error.ts';
import type { ContainerRun } from './pod-operations.ts';

/** The container whose log is meant. Texts as in Kubernetes' LogLocation. @throws StatusError BadRequest. */
export function chooseContainer({ metadata, spec }: Pod, wanted: string | undefined): string {
  const names = spec.containers.map(({ name }) => name);
  const initNames = (spec.initContainers ?? []).map(({ name }) => name);
  const ephemeralNames = (spec.ephemeralContainers ?? []).map(({ name }) => name);
  if (wanted !== undefined) {
    if ([...names, ...initNames, ...ephemeralNames].includes(wanted)) return wanted;
    throw badRequest(`container ${wanted} is not valid for pod ${metadata.name}`);
  }
  const [only, ...others] = names;
  if (only !== undefined && others.length === 0) return only;
  let message = `a container name must be specified for pod ${metadata.name}, choose one of: [${names.join(' ')}]`;
  if (initNames.length > 0) message += ` or one of the init containers: [${initNames.join(' ')}]`;
  if (ephemeralNames.length > 0) message += ` or one of the ephemeral containers: [${ephemeralNames.join(' ')}]`;
  throw badRequest(message);
}

/**
 * The run of a container whose log is to be read, found and refused as a kubelet does (validateContainerLogStatus).
 *
 * @param previous the run before the present one.
 * @throws StatusError BadRequest when there is none.
 */
export function runToRead({ metadata, status }: Pod, container: string, previous: boolean): ContainerRun {
  const subject = `container ${JSON.stringify(container)} in pod ${JSON.stringify(metadata.name)}`;
  const found = [
    ...(status?.containerStatuses ?? []),
    ...(status?.initContainerStatuses ?? []),
    ...(status?.ephemeralContainerStatuses ?? []),
  ].find(({ name }) => name === container);
  if (!found) throw badRequest(`${subject} is not available`);
  const { waiting, running, terminated } = found.state ?? {};
  const last = lastRun(found);
  const run = (containerID: string): ContainerRun => ({
    containerName: container,
    containerID,
    restartCount: found.restartCount,
  });
  if (previous) {
    if (last) return last;
    throw badRequest(`previous terminated ${subject} not found`);
  }
  if (running) return run(found.containerID ?? '');
  if (terminated?.containerID) return run(terminated.containerID);
  if (last) return last;
  if (terminated || found.lastState?.terminated) throw badRequest(`${subject} is terminated`);
  if (waiting) throw badRequest(`${subject} is waiting to start: ${waitingText(waiting.reason ?? '')}`);
  throw badRequest(`${subject} is waiting to start - no logs yet`);
}

/** While a container waits to run again, the count is still that of its last run. */
function lastRun({ name, state, lastState, restartCount }: ContainerStatus): ContainerRun | undefined {
  const containerID = lastState?.terminated?.containerID;
  if (!containerID) return undefined;
  return { containerName: name, containerID, restartCount: state?.waiting ? restartCount : restartCount - 1 };
}

function waitingText(reason: string): string {
  switch (reason) {
    case 'ErrImagePull':
      return "image can't be pulled";
    case 'ImagePullBackOff':
      return 'trying and failing to pull image';
    default:
      return reason;
  }
}
