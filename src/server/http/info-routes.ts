import { createHash } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { absentKinds } from '../../api/absent-kinds.ts';
import { metricsKinds } from '../../api/metrics-kinds.ts';
import { reviewKinds } from '../../api/reviews.ts';
import { notAcceptable } from '../../api/status-error.ts';
import { type AnyKind, apiVersionOf } from '../representation.ts';
import { parseAccept } from '../request/media-type.ts';
import { aggregatedDiscovery, apiGroupList, apiResourceList, apiVersions, type DiscoveredKind } from './discovery.ts';
import { openApiDocument } from './openapi.ts';
import { sendJson } from './reply.ts';

export interface ServerInfo {
  /** Of mini-kubelet. */
  readonly version: string;
  /** `127.0.0.1:10250`, where clients are told to come. */
  readonly address: string;
}

/** The Kubernetes release whose API this is. */
const kubernetes = { major: '1', minor: '36', version: '1.36.2' };

/** Whoever is known may read them, by the roles that there are from the start. */
const forPath = { config: { access: { kind: 'path' } } } as const;

const discoveryVersions = ['v2', 'v2beta1'];

/** What the server is and serves: discovery, OpenAPI, version. */
export function registerInfoRoutes(app: FastifyInstance, kinds: readonly AnyKind[], info: ServerInfo): void {
  registerDiscovery(app, [...kinds, ...reviewKinds, ...metricsKinds, ...absentKinds], info);
  registerOpenApi(app, kinds, info);
  const version = {
    major: kubernetes.major,
    minor: kubernetes.minor,
    gitVersion: `v${kubernetes.version}+mini-kubelet.${info.version}`,
    gitCommit: '',
    gitTreeState: 'clean',
    buildDate: '1970-01-01T00:00:00Z',
    goVersion: '',
    compiler: `node ${process.version}`,
    platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
  };
  app.get('/version', forPath, (request, reply) => sendJson(request, reply, 200, JSON.stringify(version)));
}

function registerDiscovery(app: FastifyInstance, kinds: readonly DiscoveredKind[], info: ServerInfo): void {
  const core = kinds.filter(({ group }) => group === '');
  const others = kinds.filter(({ group }) => group !== '');
  app.get('/api', forPath, (request, reply) => sendDiscovery(request, reply, core, apiVersions(info.address)));
  app.get('/apis', forPath, (request, reply) => sendDiscovery(request, reply, others, apiGroupList(others)));
  for (const groupVersion of new Set(kinds.map(apiVersionOf))) {
    const text = JSON.stringify(apiResourceList(kinds, groupVersion));
    const path = groupVersion.includes('/') ? `/apis/${groupVersion}` : `/api/${groupVersion}`;
    app.get(path, forPath, (request, reply) => sendJson(request, reply, 200, text));
  }
}

/** kubectl takes an answer for aggregated discovery only when its Content-Type is word for word this. */
function sendDiscovery(
  request: FastifyRequest,
  reply: FastifyReply,
  kinds: readonly DiscoveredKind[],
  legacy: object,
): FastifyReply {
  reply.header('vary', 'Accept');
  const wanted = wantedDiscovery(request.headers.accept);
  if (wanted === undefined) throw notAcceptable('only the following media types are accepted: application/json');
  if (wanted === 'legacy') return sendJson(request, reply, 200, JSON.stringify(legacy));
  return reply
    .header('content-type', `application/json;g=apidiscovery.k8s.io;v=${wanted};as=APIGroupDiscoveryList`)
    .send(Buffer.from(JSON.stringify(aggregatedDiscovery(kinds, `apidiscovery.k8s.io/${wanted}`))));
}

function wantedDiscovery(accept: string | undefined): string | undefined {
  if (accept === undefined || accept.trim() === '') return 'legacy';
  for (const { type, parameters } of parseAccept(accept)) {
    if (!['application/json', 'application/*', '*/*'].includes(type)) continue;
    const as = parameters.get('as');
    const version = parameters.get('v') ?? '';
    if (as === undefined) return 'legacy';
    if (as === 'APIGroupDiscoveryList' && discoveryVersions.includes(version)) return version;
  }
  return undefined;
}

/**
 * A document of OpenAPI v2 that describes nothing: `swagger: "2.0"`, which is field 1, in protobuf. kubectl checks a
 * `List` by itself, by v2 and in protobuf alone; what the document does not name it takes as right, and then has the
 * server check each object of the list.
 */
const emptyOpenApiV2 = Buffer.from('\n\x032.0');

/** Documents are made when first asked for: most daemons are never asked. */
function registerOpenApi(app: FastifyInstance, kinds: readonly AnyKind[], info: ServerInfo): void {
  const texts = new Map<string, string>();
  const textOf = (groupVersion: string): string => {
    const text = texts.get(groupVersion) ?? JSON.stringify(openApiDocument(kinds, groupVersion, info.version));
    texts.set(groupVersion, text);
    return text;
  };
  const places = new Map(
    [...new Set(kinds.map(apiVersionOf))].map((gv) => [gv.includes('/') ? `apis/${gv}` : `api/${gv}`, gv]),
  );
  app.get('/openapi/v2', forPath, (_request, reply) =>
    reply.header('content-type', 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf').send(emptyOpenApiV2),
  );
  app.get('/openapi/v3', forPath, (request, reply) => {
    const paths = Object.fromEntries(
      [...places].map(([place, groupVersion]) => {
        const hash = createHash('sha256').update(textOf(groupVersion)).digest('hex').slice(0, 32).toUpperCase();
        return [place, { serverRelativeURL: `/openapi/v3/${place}?hash=${hash}` }];
      }),
    );
    return sendJson(request, reply, 200, JSON.stringify({ paths }));
  });
  for (const [place, groupVersion] of places) {
    app.get(`/openapi/v3/${place}`, forPath, (request, reply) => sendJson(request, reply, 200, textOf(groupVersion)));
  }
}
