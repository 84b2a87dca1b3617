import type { FastifyRequest } from 'fastify';
import type { Format } from '../../api/decode/decode.ts';
import { protobufMediaType } from '../../api/decode/protobuf.ts';
import { StatusError, unsupportedMediaType } from '../../api/status-error.ts';
import type { DecodedBody } from '../objects/body.ts';
import { type PatchType, patchTypes } from '../patch/apply-patch.ts';
import { baseType } from '../request/media-type.ts';
import type { HttpContext } from './context.ts';
import { bodyTypes } from './errors.ts';

const formats: ReadonlyMap<string, Format> = new Map([
  ['application/json', 'json'],
  ['application/yaml', 'yaml'],
  ['application/x-yaml', 'yaml'],
  ['text/yaml', 'yaml'],
  [protobufMediaType, 'protobuf'],
]);

/**
 * The body as plain values. The Content-Type must name one of ours: a form that a foreign web page sends never does.
 *
 * @throws StatusError 400, 413, 415.
 */
export async function readBody({ decoder }: HttpContext, request: FastifyRequest): Promise<DecodedBody> {
  const format = formats.get(baseType(request.headers['content-type']));
  if (!format) throw unsupportedMediaType([...bodyTypes]);
  const decoded = await decoder.decode(bytesOf(request), format);
  // Whatever is wrong with what was read from protobuf is told as it is of JSON.
  return { ...decoded, format: format === 'yaml' ? 'yaml' : 'json' };
}

/** The options that a deletion may bring along. */
export async function readOptionalBody(context: HttpContext, request: FastifyRequest): Promise<unknown> {
  return bytesOf(request).length === 0 ? undefined : (await readBody(context, request)).value;
}

export async function readPatch(
  { decoder }: HttpContext,
  request: FastifyRequest,
): Promise<{ type: PatchType; body: DecodedBody }> {
  const mediaType = baseType(request.headers['content-type']);
  if (mediaType === 'application/apply-patch+yaml') throw serverSideApplyUnsupported();
  const type = patchTypes.get(mediaType);
  if (!type) throw unsupportedMediaType([...patchTypes.keys()]);
  return { type, body: { ...(await decoder.decode(bytesOf(request), 'json')), format: 'json' } };
}

function bytesOf(request: FastifyRequest): Buffer {
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') throw unsupportedMediaType([...bodyTypes]);
  return Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
}

function serverSideApplyUnsupported(): StatusError {
  return new StatusError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message:
      'server-side apply is not supported by mini-kubelet: use client-side apply (kubectl apply without --server-side)',
    reason: 'UnsupportedMediaType',
    code: 415,
  });
}
