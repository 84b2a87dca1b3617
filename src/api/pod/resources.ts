import { coreObject, list, oneOf, opt, resourceList, str } from '../schema.ts';

/** Requests and limits of containers and pods. */

export const ResourceClaimSchema = coreObject('ResourceClaim', {
  name: str(),
  request: opt(str()),
});

export const ResourceRequirementsSchema = coreObject('ResourceRequirements', {
  limits: opt(resourceList('The most that may be used.')),
  requests: opt(resourceList('What is reserved. Default: the limits.')),
  claims: opt(
    list(ResourceClaimSchema, { type: 'map', keys: ['name'] }, 'Claims of the pod that this container uses.'),
  ),
});

export const ContainerResizePolicySchema = coreObject('ContainerResizePolicy', {
  resourceName: str('cpu or memory.'),
  restartPolicy: oneOf(['NotRequired', 'RestartContainer'], 'NotRequired, or RestartContainer.'),
});
