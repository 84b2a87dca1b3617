import type { FastifyReply, FastifyRequest } from 'fastify';
import type { KubeObject, Status } from '../../api/meta.ts';
import { badRequest } from '../../api/status-error.ts';
import type { Collection, Target, Written } from '../objects/object-api.ts';
import { type IncludeObject, writeList, writeObject } from '../representation.ts';
import { parseDeleteOptions } from '../request/delete-options.ts';
import { parseListOptions } from '../request/list-options.ts';
import { stringParameter } from '../request/query.ts';
import { parseApplyOptions, parseWriteOptions, type WriteOptions } from '../request/write-options.ts';
import { authorizeCreation } from './authorize.ts';
import type { HttpContext } from './context.ts';
import { readBody, readOptionalBody, readPatch } from './read-body.ts';
import { acceptedBy, addWarnings, queryOf, sendJson } from './reply.ts';
import { handleWatch } from './watch-handler.ts';

type Handled = Promise<FastifyReply | undefined>;

export const representations = ['object', 'table', 'metadata'] as const;

/** HTTP's side of ObjectApi: reads options and bodies, waits for the disk, writes the answer. */
export class ObjectHandlers {
  readonly #context: HttpContext;

  constructor(context: HttpContext) {
    this.#context = context;
  }

  async get(target: Target, request: FastifyRequest, reply: FastifyReply): Handled {
    const object = this.#context.objects.get(target);
    return this.#send(target, request, reply, 200, object);
  }

  async list(collection: Collection, request: FastifyRequest, reply: FastifyReply): Handled {
    const accepted = acceptedBy(request, representations);
    const options = parseListOptions(queryOf(request));
    if (options.watch) {
      handleWatch(this.#context, { ...collection, options, accepted, includeObject: includeObject(request) }, reply);
      return undefined;
    }
    const { items, metadata } = this.#context.objects.list(collection, options);
    const now = this.#context.clock.now();
    const text = writeList(collection.kind, items, metadata, accepted, includeObject(request), now);
    return sendJson(request, reply, 200, text);
  }

  async create(collection: Collection, request: FastifyRequest, reply: FastifyReply): Handled {
    const options = writeOptions(request, 'CreateOptions');
    const body = await readBody(this.#context, request);
    return this.#sendWritten(collection, request, reply, 201, this.#context.objects.create(collection, body, options));
  }

  async update(target: Target, request: FastifyRequest, reply: FastifyReply): Handled {
    const options = writeOptions(request, 'UpdateOptions');
    const body = await readBody(this.#context, request);
    return this.#sendWritten(target, request, reply, 200, this.#context.objects.update(target, body, options));
  }

  async patch(target: Target, request: FastifyRequest, reply: FastifyReply): Handled {
    const { objects, authorizer } = this.#context;
    const { type, body } = await readPatch(this.#context, request);
    if (type === 'apply') {
      if (target.subresource === undefined && !objects.has(target)) authorizeCreation(target, authorizer);
      const applied = objects.apply(target, body, parseApplyOptions(queryOf(request)));
      return this.#sendWritten(target, request, reply, applied.isNew ? 201 : 200, applied);
    }
    const options = writeOptions(request, 'PatchOptions');
    return this.#sendWritten(target, request, reply, 200, objects.patch(target, type, body, options));
  }

  async delete(target: Target, request: FastifyRequest, reply: FastifyReply): Handled {
    const options = parseDeleteOptions(queryOf(request), await readOptionalBody(this.#context, request));
    const result = this.#context.objects.delete(target, options);
    await this.#context.store.flushed();
    if (isStatus(result)) return sendJson(request, reply, 200, JSON.stringify(result));
    return this.#send(target, request, reply, 200, result);
  }

  async deleteCollection(collection: Collection, request: FastifyRequest, reply: FastifyReply): Handled {
    const query = queryOf(request);
    const options = parseDeleteOptions(query, await readOptionalBody(this.#context, request));
    const items = this.#context.objects.deleteCollection(collection, parseListOptions(query), options);
    await this.#context.store.flushed();
    const accepted = acceptedBy(request, representations);
    const { resourceVersion } = this.#context.store;
    const now = this.#context.clock.now();
    const text = writeList(collection.kind, items, { resourceVersion }, accepted, includeObject(request), now);
    return sendJson(request, reply, 200, text);
  }

  /** Nobody is told of a write before it would survive a power cut. */
  async #sendWritten(
    collection: Collection,
    request: FastifyRequest,
    reply: FastifyReply,
    code: number,
    written: Written,
  ): Handled {
    await this.#context.store.flushed();
    addWarnings(reply, written.warnings);
    return this.#send(collection, request, reply, code, written.object);
  }

  #send(
    { kind }: Collection,
    request: FastifyRequest,
    reply: FastifyReply,
    code: number,
    object: KubeObject,
  ): FastifyReply {
    const accepted = acceptedBy(request, representations);
    const text = writeObject(kind, object, accepted, includeObject(request), this.#context.clock.now());
    return sendJson(request, reply, code, text);
  }
}

function writeOptions(request: FastifyRequest, kind: string): WriteOptions {
  return parseWriteOptions(queryOf(request), kind, request.headers['user-agent']);
}

/** @throws StatusError 400. */
export function includeObject(request: FastifyRequest): IncludeObject {
  const value = stringParameter(queryOf(request), 'includeObject') ?? 'Metadata';
  if (value === 'None' || value === 'Metadata' || value === 'Object') return value;
  throw badRequest(`includeObject: must be None, Metadata or Object, not ${JSON.stringify(value.slice(0, 100))}`);
}

function isStatus(result: KubeObject | Status): result is Status {
  return result.kind === 'Status';
}
