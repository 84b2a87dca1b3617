import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Status } from '../../api/meta.ts';
import { notAcceptable } from '../../api/status-error.ts';
import { type AcceptedType, negotiate, type Representation } from '../request/media-type.ts';
import { booleanParameter, isGiven, type Query } from '../request/query.ts';
import { warningHeaders } from './warnings.ts';

export function queryOf(request: FastifyRequest): Query {
  // A URL that cannot be read has no query.
  return (request.query ?? {}) as Query;
}

/** @throws StatusError 406. */
export function acceptedBy(request: FastifyRequest, allowed: readonly Representation[]): AcceptedType {
  const accepted = negotiate(request.headers.accept, allowed);
  if (!accepted) {
    throw notAcceptable('only the following media types are accepted: application/json');
  }
  return accepted;
}

/** Sends JSON text; indented for people: on `?pretty`, or for curl and browsers that ask for nothing, as Kubernetes does. */
export function sendJson(request: FastifyRequest, reply: FastifyReply, code: number, text: string): FastifyReply {
  const shown = wantsPretty(request) ? `${JSON.stringify(JSON.parse(text), null, 2)}\n` : text;
  // As bytes: the framework would add a charset to the content type of text.
  return reply.code(code).header('content-type', 'application/json').send(Buffer.from(shown));
}

export function sendStatus(request: FastifyRequest, reply: FastifyReply, status: Status): FastifyReply {
  const retryAfter = status.details?.retryAfterSeconds;
  if (retryAfter !== undefined) reply.header('retry-after', String(retryAfter));
  return sendJson(request, reply, status.code ?? 200, JSON.stringify(status));
}

export function addWarnings(reply: FastifyReply, warnings: readonly string[]): void {
  if (warnings.length > 0) reply.header('warning', warningHeaders(warnings));
}

function wantsPretty(request: FastifyRequest): boolean {
  if (isGiven(queryOf(request), 'pretty')) return booleanParameter(queryOf(request), 'pretty');
  return /^(curl|Wget|Mozilla\/5\.0)/.test(request.headers['user-agent'] ?? '');
}
