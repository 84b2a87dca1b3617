import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { podKind } from '../../api/kinds.ts';
import type { Pod } from '../../api/pod.ts';
import { badRequest, notFound } from '../../api/status-error.ts';
import type { RouteAccess } from '../access/attributes.ts';
import { chooseContainer } from '../pod-log.ts';
import { booleanParameter, listParameter, stringParameter } from '../request/query.ts';
import type { HttpContext } from './context.ts';
import { checkPathSegment } from './errors.ts';
import { sendLog } from './pod-log-handler.ts';
import { queryOf } from './reply.ts';
import {
  attachPurpose,
  execPurpose,
  type Handled,
  hasTty,
  openSession,
  portForwardPurpose,
  wantedStreams,
} from './stream-handlers.ts';

interface Params {
  readonly namespace: string;
  readonly name: string;
  readonly uid?: string;
  readonly container?: string;
}

type Handler = (pod: Pod, container: string, request: FastifyRequest, reply: FastifyReply) => Handled;

/** A kubelet calls the streams otherwise than the API server does. */
const STREAM_PARAMETERS = ['input', 'output', 'error'] as const;

/** What runs in a pod is not read, however it begins. */
const mayRun: RouteAccess = { kind: 'node', subresources: ['proxy'], verb: 'create' };
const mayRead: RouteAccess = { kind: 'node', subresources: ['proxy'] };

/** A kubelet's own endpoints that lead into pods, with and without the pod's uid in the path. */
export function registerKubeletStreams(app: FastifyInstance, context: HttpContext): void {
  const { podOperations } = context;
  const register = (
    kubeletPath: string,
    suffix: string,
    methods: ('GET' | 'POST')[],
    options: { readonly access: RouteAccess; readonly isStream: boolean },
    handle: Handler,
  ) => {
    const urls = ['/:namespace/:name', ...(kubeletPath === 'containerLogs' ? [] : ['/:namespace/:name/:uid'])];
    for (const url of urls) {
      app.route({
        method: methods,
        url: `/${kubeletPath}${url}${suffix}`,
        config: { ...options, resource: 'nodes/proxy', kubeletPath },
        handler: async (request, reply) => {
          const { pod, container } = podOf(context, request);
          return handle(pod, container, request, reply);
        },
      });
    }
  };
  const stream = { access: mayRun, isStream: true };
  register('exec', '/:container', ['GET', 'POST'], stream, async (pod, container, request, reply) => {
    const query = queryOf(request);
    const wanted = wantedStreams(query, booleanParameter(query, 'tty'), STREAM_PARAMETERS);
    const purpose = execPurpose(podOperations, pod, container, listParameter(query, 'command'), wanted);
    return openSession(context, pod, purpose, request, reply);
  });
  register('attach', '/:container', ['GET', 'POST'], stream, async (pod, container, request, reply) => {
    const wanted = wantedStreams(queryOf(request), hasTty(pod, container), STREAM_PARAMETERS);
    return openSession(context, pod, attachPurpose(podOperations, pod, container, wanted), request, reply);
  });
  register('portForward', '', ['GET', 'POST'], stream, async (pod, _container, request, reply) =>
    openSession(context, pod, portForwardPurpose(podOperations, pod), request, reply),
  );
  register(
    'run',
    '/:container',
    ['POST'],
    { access: mayRun, isStream: false },
    async (pod, container, request, reply) => {
      // As a kubelet: one text, split at spaces, without a shell.
      const command = stringParameter(queryOf(request), 'cmd')?.split(' ');
      if (!command)
        throw badRequest('you must specify the command in the parameter cmd of the URL: a body is not read');
      const abort = new AbortController();
      reply.raw.once('close', () => abort.abort());
      const output = await podOperations.run(pod, container, command, abort.signal);
      return reply.header('content-type', 'text/plain; charset=utf-8').send(output);
    },
  );
  register('containerLogs', '/:container', ['GET'], { access: mayRead, isStream: false }, sendContainerLog);

  async function sendContainerLog(pod: Pod, container: string, request: FastifyRequest, reply: FastifyReply): Handled {
    return sendLog(context, pod, container, request, reply);
  }
}

/** @throws StatusError when there is no such pod or container, or the uid is another's. */
function podOf({ store }: HttpContext, request: FastifyRequest): { pod: Pod; container: string } {
  const { namespace, name, uid, container } = request.params as Params;
  for (const segment of [namespace, name, uid, container]) if (segment !== undefined) checkPathSegment(segment);
  const pod = store.get(podKind, namespace, name);
  if (!pod || (uid !== undefined && pod.metadata.uid !== uid)) throw notFound(podKind, name);
  return { pod, container: container === undefined ? '' : chooseContainer(pod, container) };
}
