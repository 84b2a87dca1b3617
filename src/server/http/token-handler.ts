import type { FastifyReply, FastifyRequest } from 'fastify';
import { type FieldError, invalid as invalidField, notSupported, required } from '../../api/field-error.ts';
import { podKind, secretKind, serviceAccountKind } from '../../api/kinds.ts';
import { badRequest, conflict, invalid, notFound } from '../../api/status-error.ts';
import {
  type BoundObject,
  MAX_EXPIRATION_SECONDS,
  MIN_EXPIRATION_SECONDS,
  type ServiceAccountTokens,
  type TokenWish,
} from '../../tokens/service-account-tokens.ts';
import type { Target } from '../objects/object-api.ts';
import type { AnyKind } from '../representation.ts';
import type { HttpContext } from './context.ts';
import { readBody } from './read-body.ts';
import { sendJson } from './reply.ts';

const DEFAULT_EXPIRATION_SECONDS = 3600;

/** The kind that is asked for: what is refused is said of it. */
const requestKind = { group: 'authentication.k8s.io', kind: 'TokenRequest' };

/** `POST serviceaccounts/x/token`: a TokenRequest of authentication.k8s.io/v1, answered with its status. Nothing is stored. */
export async function handleTokenRequest(
  context: HttpContext & { readonly tokens: ServiceAccountTokens },
  { namespace = '', name }: Target,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { value } = await readBody(context, request);
  const { kind = 'TokenRequest', apiVersion = 'authentication.k8s.io/v1', spec } = recordOf(value);
  if (kind !== 'TokenRequest' || apiVersion !== 'authentication.k8s.io/v1') {
    throw badRequest('the body must be a TokenRequest of authentication.k8s.io/v1');
  }
  const account = context.store.get(serviceAccountKind, namespace, name);
  if (!account) throw notFound(serviceAccountKind, name);
  const wish = readWish(context, namespace, name, recordOf(spec ?? {}));
  const issued = context.tokens.issue(namespace, name, wish);
  if (!issued) throw notFound(serviceAccountKind, name);
  const { audiences, expirationSeconds, boundTo } = wish;
  const body = {
    kind,
    apiVersion,
    metadata: { name, namespace, creationTimestamp: rfc3339(context.clock.now()) },
    spec: {
      audiences,
      expirationSeconds,
      boundObjectRef: boundTo ? { ...boundTo, apiVersion: 'v1' } : null,
    },
    status: { token: issued.token, expirationTimestamp: rfc3339(issued.expiresAtMs) },
  };
  return sendJson(request, reply, 201, JSON.stringify(body));
}

/** @throws StatusError 422 with every cause, 404 or 409 for what the token is to be bound to. */
function readWish(context: HttpContext, namespace: string, name: string, spec: Record<string, unknown>): TokenWish {
  const errors: FieldError[] = [];
  const { audiences = [], expirationSeconds = DEFAULT_EXPIRATION_SECONDS, boundObjectRef } = spec;
  if (!Array.isArray(audiences) || !audiences.every((audience) => typeof audience === 'string')) {
    errors.push(invalidField('spec.audiences', '', 'must be a list of strings'));
  }
  if (typeof expirationSeconds !== 'number' || !Number.isInteger(expirationSeconds)) {
    errors.push(invalidField('spec.expirationSeconds', '', 'must be a whole number'));
  } else if (expirationSeconds < MIN_EXPIRATION_SECONDS) {
    errors.push(
      invalidField('spec.expirationSeconds', expirationSeconds, 'may not specify a duration less than 10 minutes'),
    );
  } else if (expirationSeconds > MAX_EXPIRATION_SECONDS) {
    errors.push(
      invalidField('spec.expirationSeconds', expirationSeconds, 'may not specify a duration larger than 2^32 seconds'),
    );
  }
  const reference = boundObjectRef === undefined || boundObjectRef === null ? undefined : recordOf(boundObjectRef);
  const kinds: Record<string, AnyKind> = { Pod: podKind as AnyKind, Secret: secretKind as AnyKind };
  const kind = reference && kinds[String(reference.kind)];
  if (reference && !kind) {
    errors.push(notSupported('spec.boundObjectRef.kind', String(reference.kind ?? ''), Object.keys(kinds)));
  }
  if (reference && typeof reference.name !== 'string') errors.push(required('spec.boundObjectRef.name'));
  if (errors.length > 0) throw invalid(requestKind, name, errors);
  const wish = { audiences: audiences as string[], expirationSeconds: expirationSeconds as number };
  return kind && reference ? { ...wish, boundTo: findBound(context, namespace, kind, reference) } : wish;
}

function findBound(
  { store }: HttpContext,
  namespace: string,
  kind: AnyKind,
  reference: Record<string, unknown>,
): BoundObject {
  const name = String(reference.name);
  const object = store.get(kind, namespace, name);
  if (!object) throw notFound(kind, name);
  const { uid } = object.metadata;
  if (reference.uid !== undefined && reference.uid !== '' && reference.uid !== uid) {
    throw conflict(
      kind,
      name,
      `the UID in the bound object reference (${String(reference.uid).slice(0, 64)}) does not match the UID in record`,
    );
  }
  return { kind: kind.kind as BoundObject['kind'], name, uid };
}

function recordOf(value: unknown): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw badRequest('the body must be a TokenRequest of authentication.k8s.io/v1');
}

function rfc3339(epochMs: number): string {
  return new Date(epochMs).toISOString().replace(/\.\d+Z$/, 'Z');
}
