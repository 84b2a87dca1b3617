import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';
import * as fieldError from '../../api/field-error.ts';
import type { Pod } from '../../api/pod.ts';
import { internalError, invalid, notFound, StatusError } from '../../api/status-error.ts';
import type { Target } from '../objects/object-api.ts';
import { chooseContainer, runToRead } from '../pod-log.ts';
import type { LogOptions } from '../pod-operations.ts';
import { booleanParameter, integerParameter, type Query, stringParameter } from '../request/query.ts';
import type { HttpContext } from './context.ts';
import { queryOf } from './reply.ts';

/** A log that shows nothing for so long has been opened: the answer begins. */
const openedAfterMs = 200;

/** GET /pods/{name}/log: plain text, as the container wrote it. */
export async function handlePodLog(
  context: HttpContext,
  target: Target,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply | undefined> {
  const pod = context.objects.get(target) as Pod;
  return sendLog(context, pod, stringParameter(queryOf(request), 'container'), request, reply);
}

/** @param wanted the container; undefined: the only one. */
export async function sendLog(
  context: HttpContext,
  pod: Pod,
  wanted: string | undefined,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply | undefined> {
  const query = queryOf(request);
  const options = parseLogOptions(query, context.clock.now());
  const container = chooseContainer(pod, wanted);
  const run = runToRead(pod, container, booleanParameter(query, 'previous'));

  const abort = new AbortController();
  context.longRunning.add(reply.raw, () => abort.abort());
  reply.raw.once('close', () => abort.abort());
  const log = await context.podOperations.openLog(pod, run, options, abort.signal);
  const chunks = log[Symbol.asyncIterator]();
  const first = chunks.next();
  try {
    // An unfollowed log answers at once; one that is followed may have nothing to say for hours.
    await Promise.race([first, delay(openedAfterMs, undefined, { ref: false })]);
  } catch (error) {
    throw logError(error, container, pod.metadata.name);
  }
  reply.hijack();
  reply.raw.writeHead(200, { 'content-type': 'text/plain', 'cache-control': 'no-cache, private' });
  reply.raw.flushHeaders();
  await copy(context, first, chunks, reply, abort.signal);
  return undefined;
}

/** Writes as fast as the client reads: what waits is one chunk. */
async function copy(
  context: HttpContext,
  first: Promise<IteratorResult<Uint8Array>>,
  chunks: AsyncIterator<Uint8Array>,
  { raw }: FastifyReply,
  signal: AbortSignal,
): Promise<void> {
  try {
    for (let next = await first; !next.done && !raw.destroyed; next = await chunks.next()) {
      if (!raw.write(next.value)) await drained(raw);
    }
    raw.end();
  } catch (error) {
    if (!signal.aborted) context.logger.warn({ err: error }, 'a log could not be read to its end');
    raw.destroy();
  } finally {
    await chunks.return?.();
  }
}

function drained(raw: FastifyReply['raw']): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      raw.off('drain', done);
      raw.off('close', done);
      resolve();
    };
    raw.on('drain', done);
    raw.on('close', done);
  });
}

/** Rules of k8s.io/kubernetes' ValidatePodLogOptions. @throws StatusError 400, 422. */
export function parseLogOptions(query: Query, now: number): LogOptions {
  const errors: fieldError.FieldError[] = [];
  const atLeast = (name: string, minimum: number, detail: string): number | undefined => {
    const value = integerParameter(query, name);
    if (value !== undefined && value < minimum) errors.push(fieldError.invalid(name, value, detail));
    return value;
  };
  const tailLines = atLeast('tailLines', 0, 'must be greater than or equal to 0');
  const limitBytes = atLeast('limitBytes', 1, 'must be greater than 0');
  const sinceSeconds = atLeast('sinceSeconds', 1, 'must be greater than 0');
  const sinceTime = stringParameter(query, 'sinceTime');
  const sinceTimeMs = sinceTime === undefined ? undefined : Date.parse(sinceTime);
  if (sinceTime !== undefined && sinceSeconds !== undefined) {
    errors.push(fieldError.forbidden('', 'at most one of `sinceTime` or `sinceSeconds` may be specified'));
  }
  if (Number.isNaN(sinceTimeMs)) errors.push(fieldError.invalid('sinceTime', sinceTime, 'must be a time (RFC 3339)'));
  const stream = stringParameter(query, 'stream') ?? 'All';
  if (!isStream(stream)) errors.push(fieldError.notSupported('stream', stream, ['All', 'Stderr', 'Stdout']));
  if (errors.length > 0 || !isStream(stream)) throw invalid({ group: '', kind: 'PodLogOptions' }, '', errors);
  return {
    follow: booleanParameter(query, 'follow'),
    tailLines,
    limitBytes,
    sinceTimeMs: sinceSeconds === undefined ? sinceTimeMs : now - sinceSeconds * 1000,
    timestamps: booleanParameter(query, 'timestamps'),
    stream,
  };
}

function isStream(text: string): text is LogOptions['stream'] {
  return text === 'All' || text === 'Stdout' || text === 'Stderr';
}

/** What went wrong before the first byte. The paths of the host are nobody's business. */
function logError(error: unknown, container: string, pod: string): unknown {
  if (error instanceof StatusError) return error;
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
    return notFound({ group: '', plural: 'logs' }, `${pod}/${container}`);
  }
  return internalError(
    `the log of container ${JSON.stringify(container)} in pod ${JSON.stringify(pod)} cannot be read`,
  );
}
