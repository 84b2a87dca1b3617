import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { FieldError } from '../../api/field-error.ts';
import {
  type ReviewKind,
  reviewKinds,
  type SelfSubjectAccessReview,
  type SelfSubjectRulesReview,
  type SubjectAccessReviewSpec,
  type TokenReview,
} from '../../api/reviews.ts';
import { badRequest, invalid, unauthorized } from '../../api/status-error.ts';
import { API_AUDIENCE } from '../../tokens/service-account-tokens.ts';
import {
  reviewedAttributes,
  reviewedIdentity,
  rulesStatus,
  userInfo,
  validateAccessSpec,
  validateSubjectSpec,
} from '../access/reviews.ts';
import type { Identity } from '../identity.ts';
import { readObject } from '../objects/body.ts';
import { parseWriteOptions } from '../request/write-options.ts';
import type { HttpContext } from './context.ts';
import { checkPathSegment } from './errors.ts';
import { readBody } from './read-body.ts';
import { addWarnings, queryOf, sendJson } from './reply.ts';

export interface ReviewContext extends HttpContext {
  /** Whose token it is, for one of these audiences; undefined for one that is not known. */
  readonly identifyToken: (token: string, audiences: readonly string[]) => Identity | undefined;
}

interface Review {
  readonly kind: ReviewKind;
  readonly object: object;
  /** Who asks. */
  readonly identity: Identity;
  /** In the path, of kinds that have one. */
  readonly namespace: string | undefined;
}

/** `kubectl auth whoami`, `kubectl auth can-i`, and what servers ask of others' rights: answered, and never stored. */
export function registerReviewRoutes(app: FastifyInstance, context: ReviewContext): void {
  for (const kind of reviewKinds) {
    const access = { kind: 'resource', group: kind.group, resource: kind.plural } as const;
    app.post(pathOf(kind), { config: { resource: kind.plural, access } }, async (request, reply) => {
      const { identity } = request;
      if (!identity) throw unauthorized();
      const options = parseWriteOptions(queryOf(request), 'CreateOptions', undefined);
      const body = await readBody(context, request);
      const { object, warnings } = readObject(kind, body, options.fieldValidation);
      const creationTimestamp = new Date(context.clock.now()).toISOString().replace(/\.\d+Z$/, 'Z');
      const namespace = namespaceOf(request);
      addWarnings(reply, warnings);
      const answer = {
        ...object,
        metadata: { creationTimestamp, ...(namespace === undefined ? {} : { namespace }) },
        status: statusOf(context, { kind, object, identity, namespace }),
      };
      return sendJson(request, reply, 201, JSON.stringify(answer));
    });
  }
}

function pathOf({ group, version, plural, namespaced }: ReviewKind): string {
  return `/apis/${group}/${version}/${namespaced ? 'namespaces/:namespace/' : ''}${plural}`;
}

function namespaceOf(request: FastifyRequest): string | undefined {
  const { namespace } = request.params as { namespace?: string };
  if (namespace !== undefined) checkPathSegment(namespace);
  return namespace;
}

function statusOf(context: ReviewContext, review: Review): object {
  const { kind, object, identity, namespace } = review;
  switch (kind.kind) {
    case 'SelfSubjectReview':
      return { userInfo: userInfo(identity) };
    case 'SelfSubjectAccessReview': {
      const { spec } = object as SelfSubjectAccessReview;
      refuseIf(kind, validateAccessSpec(spec));
      return accessStatus(context, identity, spec);
    }
    case 'SelfSubjectRulesReview': {
      const { spec } = object as SelfSubjectRulesReview;
      if (!spec.namespace) throw badRequest('no namespace on request');
      return rulesStatus(context.authorizer.rulesOf(identity, spec.namespace));
    }
    case 'SubjectAccessReview':
    case 'LocalSubjectAccessReview': {
      const { spec } = object as { spec: SubjectAccessReviewSpec };
      refuseIf(kind, validateSubjectSpec(spec, namespace));
      return accessStatus(context, reviewedIdentity(spec), spec);
    }
    case 'TokenReview':
      return tokenStatus(context, object as TokenReview);
  }
}

function refuseIf(kind: ReviewKind, errors: readonly FieldError[]): void {
  if (errors.length > 0) throw invalid(kind, '', errors);
}

function accessStatus(
  { authorizer }: ReviewContext,
  identity: Identity,
  spec: SelfSubjectAccessReview['spec'],
): object {
  const { allowed, reason } = authorizer.decide(identity, reviewedAttributes(spec));
  return reason === '' ? { allowed } : { allowed, reason };
}

function tokenStatus({ identifyToken }: ReviewContext, { spec }: TokenReview): object {
  const { token = '', audiences = [] } = spec;
  if (token === '') throw badRequest('token is required for TokenReview in authentication');
  const wanted = audiences.length > 0 ? audiences : [API_AUDIENCE];
  const [identity, audience] =
    wanted.map((one) => [identifyToken(token, [one]), one] as const).find(([found]) => found) ?? [];
  if (!identity) return { user: {}, error: 'the token is not known, or not for the given audiences' };
  return { authenticated: true, user: userInfo(identity), audiences: [audience] };
}
