import { type Attributes, isResource, type ResourceAttributes } from '../access/attributes.ts';
import { userInfo } from '../access/reviews.ts';
import type { Identity } from '../identity.ts';

/** What is noted of a request: an Event of audit.k8s.io/v1 at the level Metadata, which never has bodies. PURE. */

export interface AuditedRequest {
  readonly auditID: string;
  readonly method: string;
  /** With the query. */
  readonly url: string;
  /** Undefined for what is public. */
  readonly attributes: Attributes | undefined;
  /** Who sent it, by the credentials; undefined for nobody that is known. */
  readonly sender: Identity | undefined;
  /** Whom it was taken for. */
  readonly identity: Identity | undefined;
  /** Undefined over the unix socket. */
  readonly sourceIP: string | undefined;
  readonly userAgent: string | undefined;
  /** Epoch milliseconds. */
  readonly receivedAtMs: number;
}

/** A stream into a pod is noted when it begins, and again when it is over; everything else when it was answered. */
export type AuditStage = 'RequestReceived' | 'ResponseComplete';

const readVerbs = ['get', 'list', 'watch', 'head'];
const maxShown = 1_000;

/** Whatever changes something, runs something in a pod, or reads secrets; and whatever was refused to somebody. */
export function isAudited({ attributes }: AuditedRequest, code: number): boolean {
  if (code === 401 || code === 403) return true;
  if (!attributes) return false;
  return !readVerbs.includes(attributes.verb) || (isResource(attributes) && attributes.resource === 'secrets');
}

/** Of the core group's pods: what becomes a stream. */
export function isStreamRequest({ attributes }: AuditedRequest): boolean {
  if (!attributes || !isResource(attributes) || attributes.resource !== 'pods') return false;
  return ['attach', 'exec', 'portforward'].includes(attributes.subresource);
}

/** @param code undefined before there is an answer. @param now epoch milliseconds. */
export function auditEvent(
  request: AuditedRequest,
  stage: AuditStage,
  code: number | undefined,
  now: number,
): Record<string, unknown> {
  const { auditID, attributes, sender, identity, sourceIP, userAgent } = request;
  const isImpersonated = sender !== undefined && identity !== undefined && sender !== identity;
  return {
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    level: 'Metadata',
    auditID,
    stage,
    requestURI: maskedUri(request.url),
    verb: attributes?.verb ?? request.method.toLowerCase(),
    user: sender ? userInfo(sender) : {},
    ...(isImpersonated ? { impersonatedUser: userInfo(identity) } : {}),
    sourceIPs: sourceIP === undefined ? [] : [sourceIP],
    ...(userAgent === undefined ? {} : { userAgent: userAgent.slice(0, 256) }),
    ...(attributes && isResource(attributes) ? { objectRef: objectRef(attributes) } : {}),
    ...(code === undefined ? {} : { responseStatus: { metadata: {}, code } }),
    requestReceivedTimestamp: microTime(request.receivedAtMs),
    stageTimestamp: microTime(now),
    ...(code === undefined ? {} : { annotations: { 'authorization.k8s.io/decision': decision(code) } }),
  };
}

function objectRef({ group, resource, subresource, namespace, name }: ResourceAttributes): object {
  return {
    resource,
    ...(namespace === '' ? {} : { namespace }),
    ...(name === '' ? {} : { name }),
    ...(group === '' ? {} : { apiGroup: group }),
    ...(subresource === '' ? {} : { subresource }),
  };
}

function decision(code: number): string {
  return code === 401 || code === 403 ? 'forbid' : 'allow';
}

/** Parameters that say how, and hold nothing of anybody's. */
const shownParameters = new Set([
  'allowWatchBookmarks',
  'container',
  'dryRun',
  'fieldManager',
  'fieldValidation',
  'follow',
  'force',
  'gracePeriodSeconds',
  'limit',
  'ports',
  'previous',
  'propagationPolicy',
  'resourceVersion',
  'stderr',
  'stdin',
  'stdout',
  'timeout',
  'timeoutSeconds',
  'tty',
  'watch',
]);

/** The values of all other parameters are left out: a command may have a password in it, and a selector a name. */
function maskedUri(url: string): string {
  const mark = url.indexOf('?');
  if (mark < 0) return url.slice(0, maxShown);
  const parameters = url
    .slice(mark + 1, mark + 1 + maxShown)
    .split('&')
    .map((parameter) => {
      const [name = ''] = parameter.split('=', 1);
      return shownParameters.has(name) || name === parameter ? parameter : `${name}=***`;
    });
  return `${url.slice(0, mark).slice(0, maxShown)}?${parameters.join('&')}`;
}

function microTime(epochMs: number): string {
  return new Date(epochMs).toISOString().replace('Z', '000Z');
}
