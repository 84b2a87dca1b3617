import { randomUUID } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Counter, type Registry } from 'prom-client';
import { StatusError } from '../../api/status-error.ts';
import type { Clock } from '../../util/clock.ts';
import { type AuditedRequest, type AuditStage, auditEvent, isAudited, isStreamRequest } from '../audit/audit-event.ts';
import type { AuditLog } from '../audit/audit-log.ts';
import { wantedAttributes } from './authorize.ts';

export interface AuditContext {
  readonly clock: Clock;
  readonly nodeName: string;
  readonly registry: Registry;
  /** Undefined: nothing is noted. */
  readonly auditLog?: AuditLog | undefined;
}

declare module 'fastify' {
  interface FastifyRequest {
    auditID: string | undefined;
    receivedAtMs: number;
  }
}

/** Notes requests in the audit log when they have been answered, and streams also when they begin. */
export function registerAudit(app: FastifyInstance, context: AuditContext): void {
  const { auditLog, clock, registry } = context;
  app.decorateRequest('auditID', undefined);
  app.decorateRequest('receivedAtMs', 0);
  if (!auditLog) return;
  new Counter({
    name: 'mini_kubelet_audit_events_lost_total',
    help: 'Lines of the audit log that could not be written.',
    registers: [registry],
    collect() {
      this.reset();
      this.inc(auditLog.lost);
    },
  });
  const note = (request: FastifyRequest, stage: AuditStage, code: number | undefined) => {
    const audited = auditedRequest(request, context.nodeName);
    if (code === undefined ? isStreamRequest(audited) : isAudited(audited, code)) {
      auditLog.write(auditEvent(audited, stage, code, clock.now()));
    }
  };
  app.addHook('onRequest', async (request, reply) => {
    request.auditID = randomUUID();
    request.receivedAtMs = clock.now();
    reply.header('audit-id', request.auditID);
  });
  app.addHook('preHandler', async (request) => note(request, 'RequestReceived', undefined));
  app.addHook('onResponse', async (request, reply) => note(request, 'ResponseComplete', reply.raw.statusCode));
}

function auditedRequest(request: FastifyRequest, nodeName: string): AuditedRequest {
  const { raw, url, method, sender, identity, receivedAtMs, auditID = '' } = request;
  return {
    auditID,
    method,
    url,
    attributes: attributesIfReadable(request, nodeName),
    sender,
    identity,
    sourceIP: raw.socket.remoteAddress,
    userAgent: request.headers['user-agent'],
    receivedAtMs,
  };
}

/** What a URL that cannot be read asks for is not known. */
function attributesIfReadable(request: FastifyRequest, nodeName: string): AuditedRequest['attributes'] {
  try {
    return wantedAttributes(request, nodeName)[0];
  } catch (error) {
    if (error instanceof StatusError) return undefined;
    throw error;
  }
}
