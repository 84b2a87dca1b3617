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

const openingBrace = 0x7b;

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
  context: HttpContext,
  request: FastifyRequest,
): Promise<{ type: PatchType | 'apply'; body: DecodedBody }> {
  const type = patchTypes.get(baseType(request.headers['content-type']));
  if (!type) throw unsupportedMediaType([...patchTypes.keys()]);
  const bytes = bytesOf(request);
  if (type === 'apply') return { type, body: await readApplied(context, bytes) };
  return { type, body: { ...(await context.decoder.decode(bytes, 'json')), format: 'json' } };
}

/** What is applied is YAML, which clients mostly write as JSON: that is read in a tenth of the time. */
async function readApplied({ decoder }: HttpContext, bytes: Buffer): Promise<DecodedBody> {
  if (bytes[0] === openingBrace) {
    try {
      return { ...(await decoder.decode(bytes, 'json')), format: 'json' };
    } catch (error) {
      // It may be YAML all the same, and is told as that when it is not.
      if (!(error instanceof StatusError && error.code === 400)) throw error;
    }
  }
  return { ...(await decoder.decode(bytes, 'yaml')), format: 'yaml' };
}

function bytesOf(request: FastifyRequest): Buffer {
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') throw unsupportedMediaType([...bodyTypes]);
  return Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
}
