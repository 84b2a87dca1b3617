import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { absentKinds } from '../../api/absent-kinds.ts';
import { forbidden, StatusError, tooManyRequests } from '../../api/status-error.ts';
import { API_AUDIENCE, type ServiceAccountTokens } from '../../tokens/service-account-tokens.ts';
import type { RouteAccess } from '../access/attributes.ts';
import type { AuditLog } from '../audit/audit-log.ts';
import { authenticate, type Identity, identityOfToken, type Peer } from '../identity.ts';
import { registerAudit } from './audit.ts';
import { authorize, identify, requireAccess } from './authorize.ts';
import type { HttpContext } from './context.ts';
import { pathNotFound, statusOf } from './errors.ts';
import { handleEviction } from './eviction-handler.ts';
import { type HealthCheck, healthPaths, registerHealthRoutes } from './health-routes.ts';
import { isAllowedHost, isAllowedOrigin } from './host-check.ts';
import { InFlight } from './in-flight.ts';
import { registerInfoRoutes, type ServerInfo } from './info-routes.ts';
import { type KubeletOptions, registerKubeletRoutes } from './kubelet-routes.ts';
import { registerKubeletStreams } from './kubelet-streams.ts';
import { isLongRunning, requestMetrics } from './metrics.ts';
import { registerMetricsApiRoutes } from './metrics-api-routes.ts';
import { registerObjectRoutes } from './object-routes.ts';
import { handlePodLog } from './pod-log-handler.ts';
import { registerReadRoutes } from './read-routes.ts';
import { sendStatus } from './reply.ts';
import { registerReviewRoutes } from './review-routes.ts';
import { streamHandlers } from './stream-handlers.ts';
import { handleTokenRequest } from './token-handler.ts';

declare module 'fastify' {
  interface FastifyInstance {
    /** The right that each route takes, by `GET /api/v1/pods`. */
    routeAccess: ReadonlyMap<string, RouteAccess>;
  }
  interface FastifyRequest {
    /** Who sends it; undefined only on the paths that are open to everybody. */
    identity: Identity | undefined;
    /** Whose credentials it has; another than `identity` where that one is impersonated. */
    sender: Identity | undefined;
    holdsPlaceIn: InFlight | undefined;
  }
  interface FastifyContextConfig {
    /** `pods`, `pods/status`: for metrics. */
    resource?: string;
    /** The right that it takes. A route without one is a mistake, and the server does not start. */
    access?: RouteAccess;
    /** Of a kubelet's own endpoints, for its metrics: `exec`, `metrics/cadvisor`. */
    kubeletPath?: string;
    /** True: it is to become a stream, as the subresources of pods for that purpose. */
    isStream?: boolean;
  }
}

/** As Kubernetes' apiserver: bodies, and requests at the same time. */
const maxBodyBytes = 3 * 1024 * 1024;
const maxReads = 400;
const maxWrites = 200;
const maxUrlBytes = 8 * 1024;

export interface AppOptions extends HttpContext, KubeletOptions {
  /** Undefined: there is none. */
  readonly auditLog?: AuditLog | undefined;
  readonly info: ServerInfo;
  readonly health: () => readonly HealthCheck[];
  readonly peerOf: (request: FastifyRequest) => Peer;
  /** Of the administrator's token; changes when it is made anew. */
  readonly tokenHash: () => Buffer;
  readonly tokens: ServiceAccountTokens;
  /** Of the tokens that `mini-kubelet token` made. */
  readonly identifyUserToken: (token: string) => Identity | undefined;
  /** Names and addresses under which clients may come, lower case. */
  readonly allowedHosts: ReadonlySet<string>;
}

/** Bodies are checked by the kinds' own schemas, no route has one: Fastify's compilers, 0.4 MB of code, are never loaded. */
const withoutSchemas = { compilersFactory: { buildValidator: noRouteHasSchemas, buildSerializer: noRouteHasSchemas } };

function noRouteHasSchemas(): never {
  throw new Error('routes have no schemas here');
}

/** The whole API as a Fastify application that listens nowhere yet. */
export function buildApp(options: AppOptions): FastifyInstance {
  const app = fastify({
    logger: false,
    bodyLimit: maxBodyBytes,
    return503OnClosing: false,
    exposeHeadRoutes: false,
    schemaController: withoutSchemas,
    routerOptions: { maxParamLength: maxUrlBytes, caseSensitive: true },
    frameworkErrors: (error, request, reply) => {
      void sendStatus(request, reply as FastifyReply, statusOf(error, maxBodyBytes).status);
    },
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  requireAccess(app);
  app.decorateRequest('identity', undefined);
  app.decorateRequest('sender', undefined);
  app.decorateRequest('holdsPlaceIn', undefined);
  registerAudit(app, options);
  addGuards(app, options);
  addErrorHandling(app, options);

  registerHealthRoutes(app, options.health);
  registerInfoRoutes(app, options.kinds, options.info);
  registerReviewRoutes(app, {
    ...options,
    identifyToken: (token, audiences) => identityOfToken(token, options, audiences),
  });
  registerKubeletRoutes(app, options, options);
  registerKubeletStreams(app, options);
  registerMetricsApiRoutes(app, options, options.usage);
  for (const kind of absentKinds) registerReadRoutes(app, options, kind, async () => []);
  registerObjectRoutes(app, options, {
    ...streamHandlers(options),
    'serviceaccounts/token': { POST: (...args) => handleTokenRequest(options, ...args) },
    'pods/eviction': { POST: (...args) => handleEviction(options, ...args) },
    'pods/log': { GET: (...args) => handlePodLog(options, ...args) },
  });
  return app;
}

/** What every request passes before anything else looks at it, in this order. */
function addGuards(app: FastifyInstance, options: AppOptions): void {
  const reads = new InFlight(maxReads);
  const writes = new InFlight(maxWrites);
  const metrics = requestMetrics(options.registry, { watches: () => options.longRunning.count });
  app.addHook('onRequest', async (request, reply) => {
    reply.header('cache-control', 'no-cache, private').header('x-content-type-options', 'nosniff');
    checkUrl(request);
    // An upgrade is for streams only. Whatever is sent as if it had taken place is not even read.
    if (request.headers.upgrade !== undefined) reply.header('connection', 'close');
    const peer = options.peerOf(request);
    checkOrigin(request, peer, options.allowedHosts);
    const sender = authenticate(peer, request.headers.authorization, (token) =>
      identityOfToken(token, options, [API_AUDIENCE]),
    );
    request.sender = sender;
    request.identity = identify(request, sender, options.authorizer);
    authorize(request, options);
    takePlace(request, reply, reads, writes);
  });
  app.addHook('onResponse', async (request, reply) => {
    request.holdsPlaceIn?.leave();
    metrics.observe(request, reply.raw.statusCode, reply.elapsedTime / 1000);
    logWrite(request, reply, options);
  });
}

function checkUrl(request: FastifyRequest): void {
  if (request.url.length <= maxUrlBytes) return;
  throw new StatusError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: `the URL is longer than ${maxUrlBytes} bytes`,
    reason: 'BadRequest',
    code: 414,
  });
}

function checkOrigin(request: FastifyRequest, peer: Peer, allowed: ReadonlySet<string>): void {
  // No name leads to a unix socket, so its Host header means nothing.
  if (peer.transport === 'tls' && !isAllowedHost(request.headers.host, allowed)) {
    throw new StatusError({
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: 'this server is not the host that the request names',
      reason: 'MisdirectedRequest',
      code: 421,
    });
  }
  if (!isAllowedOrigin(request.headers.origin, allowed)) throw forbidden('requests from other origins are refused');
}

function takePlace(request: FastifyRequest, reply: FastifyReply, reads: InFlight, writes: InFlight): void {
  if (isLongRunning(request) || healthPaths.has(request.url)) return;
  const places = request.method === 'GET' || request.method === 'HEAD' ? reads : writes;
  if (!places.enter()) {
    reply.header('retry-after', '1');
    throw tooManyRequests('too many requests are under way, please try again later', 1);
  }
  request.holdsPlaceIn = places;
}

/** Who changed what, without bodies or parameters: those may hold secrets. */
function logWrite(request: FastifyRequest, reply: FastifyReply, { logger }: AppOptions): void {
  if (request.method === 'GET' || request.method === 'HEAD') return;
  logger.info(
    {
      user: request.identity?.user,
      method: request.method,
      path: request.url.split('?', 1)[0]?.slice(0, 500),
      code: reply.raw.statusCode,
      durationMs: Math.round(reply.elapsedTime * 10) / 10,
    },
    'API write',
  );
}

function addErrorHandling(app: FastifyInstance, { logger }: AppOptions): void {
  app.setErrorHandler((error, request, reply) => {
    const { status, isOurFault } = statusOf(error, maxBodyBytes);
    if (isOurFault)
      logger.error({ err: error, method: request.method, route: request.routeOptions.url }, 'request failed');
    // The rest of a refused body is not read: the connection is of no further use.
    if (status.code === 413) reply.header('connection', 'close');
    return sendStatus(request, reply, status);
  });
  app.setNotFoundHandler((request, reply) => sendStatus(request, reply, pathNotFound(request.url).status));
}
