import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isGiven } from '../request/query.ts';
import { queryOf } from './reply.ts';

/** One thing that must be well for the node to be ready. */
export interface HealthCheck {
  readonly name: string;
  /** What is wrong; undefined when nothing is. */
  readonly error: string | undefined;
}

/** Open to everybody, so they say nothing but which part is well. */
export const healthPaths: ReadonlySet<string> = new Set(['/healthz', '/livez', '/readyz']);

/**
 * `/livez` and `/healthz`: the daemon answers. `/readyz`: it can also run pods. In Kubernetes' words: `ok`, or the list of checks with
 * `?verbose` or when one fails.
 */
export function registerHealthRoutes(app: FastifyInstance, health: () => readonly HealthCheck[]): void {
  const alive: readonly HealthCheck[] = [{ name: 'ping', error: undefined }];
  const answer = (name: string, checks: () => readonly HealthCheck[]) => {
    app.route({
      method: ['GET', 'HEAD'],
      url: `/${name}`,
      config: { access: { kind: 'public' } },
      handler: (request, reply) => sendHealth(name, checks(), request, reply),
    });
  };
  answer('healthz', () => alive);
  answer('livez', () => alive);
  answer('readyz', () => [...alive, ...health()]);
}

/** In Kubernetes' words. @param name as it stands in the last line: `readyz`. */
export function sendHealth(
  name: string,
  checks: readonly HealthCheck[],
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const isWell = checks.every(({ error }) => error === undefined);
  reply.header('content-type', 'text/plain; charset=utf-8').code(isWell ? 200 : 500);
  if (isWell && !isGiven(queryOf(request), 'verbose')) return reply.send('ok');
  const isKnown = request.identity !== undefined;
  const lines = checks.map(({ name: check, error }) =>
    error === undefined ? `[+]${check} ok` : `[-]${check} failed: ${isKnown ? error : 'reason withheld'}`,
  );
  return reply.send(`${[...lines, `${name} check ${isWell ? 'passed' : 'failed'}`].join('\n')}\n`);
}
