import type { FastifyInstance } from 'fastify';
import { invalid as invalidField } from '../../api/field-error.ts';
import {
  type SelfReviewKind,
  type SelfSubjectAccessReview,
  type SelfSubjectRulesReview,
  selfReviewKinds,
} from '../../api/self-reviews.ts';
import { badRequest, invalid, unauthorized } from '../../api/status-error.ts';
import { type Identity, isAdmin } from '../identity.ts';
import { readObject } from '../objects/body.ts';
import { parseWriteOptions } from '../request/write-options.ts';
import type { HttpContext } from './context.ts';
import { healthPaths } from './health-routes.ts';
import { readBody } from './read-body.ts';
import { addWarnings, queryOf, sendJson } from './reply.ts';

/** Whoever is known here may ask these, as in Kubernetes. */
export const selfReviewPaths: ReadonlySet<string> = new Set(selfReviewKinds.map(pathOf));

/** `kubectl auth whoami`, `kubectl auth can-i`: answered from the identity alone, and never stored. */
export function registerSelfReviewRoutes(app: FastifyInstance, context: HttpContext): void {
  for (const kind of selfReviewKinds) {
    app.post(pathOf(kind), { config: { resource: kind.plural } }, async (request, reply) => {
      const { identity } = request;
      if (!identity) throw unauthorized();
      const options = parseWriteOptions(queryOf(request), 'CreateOptions');
      const body = await readBody(context, request);
      const { object, warnings } = readObject(kind, body, options.fieldValidation);
      const creationTimestamp = new Date(context.clock.now()).toISOString().replace(/\.\d+Z$/, 'Z');
      addWarnings(reply, warnings);
      const answer = { ...object, metadata: { creationTimestamp }, status: statusOf(kind, object, identity) };
      return sendJson(request, reply, 201, JSON.stringify(answer));
    });
  }
}

function pathOf({ group, version, plural }: SelfReviewKind): string {
  return `/apis/${group}/${version}/${plural}`;
}

function statusOf(kind: SelfReviewKind, object: object, identity: Identity): object {
  switch (kind.kind) {
    case 'SelfSubjectReview':
      return { userInfo: { username: identity.user, groups: identity.groups } };
    case 'SelfSubjectAccessReview':
      return accessStatus(object as SelfSubjectAccessReview, identity);
    case 'SelfSubjectRulesReview':
      return rulesStatus(object as SelfSubjectRulesReview, identity);
  }
}

function accessStatus({ spec }: SelfSubjectAccessReview, identity: Identity): object {
  const { resourceAttributes, nonResourceAttributes } = spec;
  const about = { group: 'authorization.k8s.io', kind: 'SelfSubjectAccessReview' };
  if (resourceAttributes && nonResourceAttributes) {
    const why = 'cannot be specified in combination with resourceAttributes';
    throw invalid(about, '', [invalidField('spec.nonResourceAttributes', nonResourceAttributes, why)]);
  }
  if (!resourceAttributes && !nonResourceAttributes) {
    const why = 'exactly one of nonResourceAttributes or resourceAttributes must be specified';
    throw invalid(about, '', [invalidField('spec.resourceAttributes', null, why)]);
  }
  if (isAdmin(identity)) return { allowed: true };
  const { group, resource, verb } = resourceAttributes ?? {};
  const isReview =
    verb === 'create' && selfReviewKinds.some((kind) => kind.group === group && kind.plural === resource);
  const isHealth = nonResourceAttributes?.verb === 'get' && healthPaths.has(nonResourceAttributes.path ?? '');
  return { allowed: isReview || isHealth };
}

function rulesStatus({ spec }: SelfSubjectRulesReview, identity: Identity): object {
  if (!spec.namespace) throw badRequest('no namespace on request');
  if (isAdmin(identity)) {
    return {
      resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }],
      nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
      incomplete: false,
    };
  }
  return {
    resourceRules: selfReviewKinds.map(({ group, plural }) => ({
      verbs: ['create'],
      apiGroups: [group],
      resources: [plural],
    })),
    nonResourceRules: [{ verbs: ['get'], nonResourceURLs: [...healthPaths] }],
    incomplete: false,
  };
}
