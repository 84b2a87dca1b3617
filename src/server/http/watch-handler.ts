import { randomInt } from 'node:crypto';
import type { FastifyReply } from 'fastify';
import { StatusError } from '../../api/status-error.ts';
import { parseResourceVersion } from '../../store/resource-version.ts';
import { tooLargeResourceVersion } from '../../store/statuses.ts';
import { type Collection, selectorFilter } from '../objects/object-api.ts';
import { viewedStore } from '../objects/viewed-store.ts';
import { EventWriter, errorLine, type IncludeObject } from '../representation.ts';
import type { ListOptions } from '../request/list-options.ts';
import type { AcceptedType } from '../request/media-type.ts';
import { WatchStream } from '../watch-stream.ts';
import type { HttpContext } from './context.ts';

export interface WatchRequest extends Collection {
  readonly options: ListOptions;
  readonly accepted: AcceptedType;
  readonly includeObject: IncludeObject;
}

const bookmarkEveryMs = 60_000;

/** Unless the client says how long: between half an hour and an hour, so that not all come back at the same time. */
const minTimeoutMs = 30 * 60_000;
const maxTimeoutMs = 60 * 60_000;

/**
 * Answers a watch: the initial state, if wanted with a bookmark after it, then changes until the time is up, the client
 * goes away, or it falls behind too far. Like Kubernetes, a watch that cannot begin where the client asks answers 200
 * and says so in an ERROR event: that is where clients look for it.
 */
export function handleWatch(context: HttpContext, request: WatchRequest, reply: FastifyReply): void {
  const { kind, options, accepted, includeObject } = request;
  const matches = selectorFilter(kind, options);
  parseResourceVersion(options.resourceVersion);
  const { raw } = reply;
  const stream = new WatchStream(raw, context.watchLimits);
  context.longRunning.add(raw, () => stream.end());
  // What can be refused has been refused; from here on the connection is ours.
  reply.hijack();
  for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) raw.setHeader(name, value);
  raw.writeHead(200, { 'content-type': accepted.contentType, 'cache-control': 'no-cache, private' });
  raw.flushHeaders();

  const now = () => context.clock.now();
  const writer = new EventWriter(kind, accepted.representation, includeObject);
  let isInitial = true;
  try {
    const stopWatching = viewedStore(context.store).watch(
      kind,
      {
        namespace: request.namespace,
        filter: matches,
        resourceVersion: startOf(options, context.store.resourceVersion),
      },
      ({ type, object }) => {
        const line = writer.next(type, object, now);
        if (isInitial) stream.sendInitial(line);
        else stream.send(line());
      },
    );
    raw.once('close', stopWatching);
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    stream.sendInitial(errorLine(error.status));
    stream.end();
    return;
  }
  if (options.sendInitialEvents && options.allowWatchBookmarks) {
    stream.sendInitial(writer.bookmark(context.store.resourceVersion, true, now));
  }
  isInitial = false;
  runTimers(context, request, stream, writer, raw);
}

function runTimers(
  { store, clock }: HttpContext,
  { options }: WatchRequest,
  stream: WatchStream,
  writer: EventWriter,
  raw: FastifyReply['raw'],
): void {
  const bookmark = () => {
    if (options.allowWatchBookmarks) {
      stream.send(writer.bookmark(store.resourceVersion, false, () => clock.now())());
    }
  };
  // Not all watchers at the same moment.
  const bookmarks = options.allowWatchBookmarks
    ? setInterval(bookmark, bookmarkEveryMs + randomInt(5_000)).unref()
    : undefined;
  const timeout = setTimeout(() => {
    bookmark();
    stream.end();
  }, timeoutMs(options.timeoutSeconds)).unref();
  raw.once('close', () => {
    clearInterval(bookmarks);
    clearTimeout(timeout);
  });
}

function timeoutMs(seconds: number | undefined): number {
  return seconds && seconds > 0 ? Math.min(seconds * 1000, maxTimeoutMs) : randomInt(minTimeoutMs, maxTimeoutMs);
}

/**
 * Where the store's watch begins: undefined for the present objects. `sendInitialEvents` decides that by itself; without
 * it, a resourceVersion means "after this one".
 */
function startOf(options: ListOptions, current: string): string | undefined {
  const { sendInitialEvents, resourceVersion } = options;
  const wanted = parseResourceVersion(resourceVersion);
  if (sendInitialEvents === undefined) return wanted === 0 ? undefined : resourceVersion;
  if (wanted > Number(current)) throw tooLargeResourceVersion(wanted, Number(current));
  if (sendInitialEvents) return undefined;
  return wanted === 0 ? current : resourceVersion;
}
