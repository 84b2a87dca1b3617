import type { FastifyRequest } from 'fastify';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

export interface RequestMetrics {
  observe(request: FastifyRequest, code: number, seconds: number): void;
}

/**
 * Counts requests. Label values come from closed sets only, never from what a client sends, so that nobody can fill the
 * memory with names of paths.
 */
export function requestMetrics(registry: Registry, counts: { watches: () => number }): RequestMetrics {
  const total = new Counter({
    name: 'apiserver_request_total',
    help: 'Requests by verb, resource and HTTP status code.',
    labelNames: ['verb', 'resource', 'code'],
    registers: [registry],
  });
  const duration = new Histogram({
    name: 'apiserver_request_duration_seconds',
    help: 'Time until a request was answered; watches, followed logs and streams are left out.',
    labelNames: ['verb', 'resource'],
    buckets: [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    registers: [registry],
  });
  new Gauge({
    name: 'apiserver_longrunning_requests',
    help: 'Open watches, followed logs and streams into pods.',
    registers: [registry],
    collect() {
      this.set(counts.watches());
    },
  });
  const ofKubelet = new Counter({
    name: 'kubelet_http_requests_total',
    help: "Requests to a kubelet's own endpoints.",
    labelNames: ['method', 'path', 'server_type', 'long_running'],
    registers: [registry],
  });
  return {
    observe: (request, code, seconds) => {
      const { kubeletPath } = request.routeOptions.config;
      if (kubeletPath !== undefined) {
        const long_running = String(isLongRunning(request));
        ofKubelet.inc({ method: request.method, path: kubeletPath, server_type: 'readwrite', long_running });
      }
      const verb = verbOf(request);
      const resource = request.routeOptions.config.resource ?? 'other';
      total.inc({ verb, resource, code: codeLabel(code) });
      if (!isLongRunning(request)) duration.observe({ verb, resource }, seconds);
    },
  };
}

/** Answered for hours by design: not counted among the requests in flight, nor timed. */
export function isLongRunning(request: FastifyRequest): boolean {
  if (isStream(request)) return true;
  const { watch, follow } = request.query as Record<string, unknown>;
  return request.method === 'GET' && (watch !== undefined || follow !== undefined);
}

/** Of the subresources that become streams, whether or not the request gets that far. */
function isStream(request: FastifyRequest): boolean {
  const { isStream = false, resource = '' } = request.routeOptions.config;
  return isStream || /^pods\/(?:exec|attach|portforward)$/.test(resource);
}

const verbs: Readonly<Record<string, string>> = { POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' };

function verbOf(request: FastifyRequest): string {
  if (isStream(request)) return 'connect';
  if (isLongRunning(request)) return 'watch';
  if (request.method === 'GET' || request.method === 'HEAD') return 'get';
  return verbs[request.method] ?? 'other';
}

function codeLabel(code: number): string {
  return code >= 100 && code < 600 ? String(code) : 'other';
}
