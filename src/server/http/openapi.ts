import { patchTypes } from '../patch/apply-patch.ts';
import { type AnyKind, apiVersionOf } from '../representation.ts';

/**
 * The OpenAPI v3 document of one group and version, made from the same schemas that check the objects: for
 * `kubectl explain`, and for `kubectl apply` and `create`, which look there whether the server validates fields. PURE.
 */

interface SchemaNode {
  readonly [key: string]: unknown;
}

interface Operation {
  readonly method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  readonly action: string;
  readonly parameters: readonly object[];
}

const definitionPrefix = '#/components/schemas/';

/** Keywords of our own that no reader of OpenAPI knows. */
const ownKeywords = new Set(['x-definition', 'x-keep-zero']);

export function openApiDocument(kinds: readonly AnyKind[], groupVersion: string, version: string): object {
  const served = kinds.filter((kind) => apiVersionOf(kind) === groupVersion);
  const definitions = new Map<string, SchemaNode>();
  const paths: Record<string, object> = {};
  for (const kind of served) {
    const name = define(kind.schema as unknown as SchemaNode, definitions);
    // What every object has need not be written: the request says it.
    const { required: _, properties = {}, ...definition } = definitions.get(name) ?? {};
    definitions.set(name, {
      ...definition,
      properties: describeCommon(properties),
      'x-kubernetes-group-version-kind': [gvk(kind)],
    });
    Object.assign(paths, kindPaths(kind, name));
  }
  return {
    openapi: '3.0.0',
    info: { title: 'mini-kubelet', version },
    paths,
    components: { schemas: Object.fromEntries([...definitions].sort(([a], [b]) => (a < b ? -1 : 1))) },
  };
}

/** What objects of every kind have, where the kind says nothing else of it. */
const commonDescriptions: Readonly<Record<string, string>> = {
  apiVersion: 'Group and version of the kind.',
  kind: 'Kind of the object.',
  metadata: 'Name, labels and what else objects of every kind have.',
  spec: 'What is wanted.',
  status: 'What is observed. It is written by its own path.',
};

function describeCommon(properties: unknown): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(properties as Record<string, SchemaNode>).map(([name, schema]) => {
      const description = commonDescriptions[name];
      if (description === undefined || schema.description !== undefined) return [name, schema];
      return [name, schema.$ref === undefined ? { ...schema, description } : { description, allOf: [schema] }];
    }),
  );
}

function gvk(kind: AnyKind): object {
  return { group: kind.group, version: kind.version, kind: kind.kind };
}

function kindPaths(kind: AnyKind, definition: string): Record<string, object> {
  const base = `${kind.group === '' ? '/api' : '/apis'}/${apiVersionOf(kind)}`;
  const collection = kind.namespaced ? `${base}/namespaces/{namespace}/${kind.plural}` : `${base}/${kind.plural}`;
  const paths: Record<string, object> = {
    [collection]: pathItem(kind, definition, collection, collectionOperations(kind)),
    [`${collection}/{name}`]: pathItem(kind, definition, `${collection}/{name}`, itemOperations(kind)),
  };
  if (kind.namespaced) {
    const all = `${base}/${kind.plural}`;
    paths[all] = pathItem(kind, definition, all, [{ method: 'get', action: 'list', parameters: listParameters }]);
  }
  return paths;
}

function collectionOperations(kind: AnyKind): Operation[] {
  const operations: Operation[] = [{ method: 'get', action: 'list', parameters: listParameters }];
  if (kind.verbs.includes('create')) operations.push({ method: 'post', action: 'post', parameters: writeParameters });
  if (kind.verbs.includes('deletecollection')) {
    operations.push({
      method: 'delete',
      action: 'deletecollection',
      parameters: [...listParameters, ...deleteParameters],
    });
  }
  return operations;
}

function itemOperations(kind: AnyKind): Operation[] {
  const operations: Operation[] = [{ method: 'get', action: 'get', parameters: [] }];
  if (kind.verbs.includes('update')) operations.push({ method: 'put', action: 'put', parameters: writeParameters });
  if (kind.verbs.includes('patch')) operations.push({ method: 'patch', action: 'patch', parameters: patchParameters });
  if (kind.verbs.includes('delete'))
    operations.push({ method: 'delete', action: 'delete', parameters: deleteParameters });
  return operations;
}

function pathItem(kind: AnyKind, definition: string, path: string, operations: readonly Operation[]): object {
  const content = { 'application/json': { schema: { $ref: `${definitionPrefix}${definition}` } } };
  const parameters = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
  const entries = operations.map(({ method, action, parameters: query }) => [
    method,
    {
      operationId: `${action}${path.replace(/[^a-zA-Z]+(.)?/g, (_, next: string | undefined) => next?.toUpperCase() ?? '')}`,
      parameters: query,
      ...(method === 'post' || method === 'put' || method === 'patch'
        ? { requestBody: { required: true, content: method === 'patch' ? patchContent : content } }
        : {}),
      responses: { '200': { description: 'OK', content } },
      'x-kubernetes-action': action,
      'x-kubernetes-group-version-kind': gvk(kind),
    },
  ]);
  return { ...Object.fromEntries(entries), parameters };
}

const patchContent = Object.fromEntries(
  [...patchTypes].map(([mediaType, type]) => [mediaType, { schema: { type: type === 'json' ? 'array' : 'object' } }]),
);

const stringQuery = (name: string) => ({ name, in: 'query', schema: { type: 'string' } });
const integerQuery = (name: string) => ({ name, in: 'query', schema: { type: 'integer' } });
const booleanQuery = (name: string) => ({ name, in: 'query', schema: { type: 'boolean' } });

const listParameters = [
  stringQuery('labelSelector'),
  stringQuery('fieldSelector'),
  integerQuery('limit'),
  stringQuery('continue'),
  booleanQuery('watch'),
  booleanQuery('allowWatchBookmarks'),
  booleanQuery('sendInitialEvents'),
  stringQuery('resourceVersion'),
  stringQuery('resourceVersionMatch'),
  integerQuery('timeoutSeconds'),
];
const writeParameters = [stringQuery('dryRun'), stringQuery('fieldManager'), stringQuery('fieldValidation')];
const patchParameters = [...writeParameters, booleanQuery('force')];
const deleteParameters = [stringQuery('dryRun'), integerQuery('gracePeriodSeconds'), stringQuery('propagationPolicy')];

/** Puts a named schema and all that it refers to among the definitions. @returns its name. */
function define(schema: SchemaNode, definitions: Map<string, SchemaNode>): string {
  const name = String(schema['x-definition']);
  if (!definitions.has(name)) {
    // Marked before it is built: a schema may contain itself.
    definitions.set(name, { description: schema.description });
    definitions.set(name, convert(schema, definitions));
  }
  return name;
}

function convert(schema: SchemaNode, definitions: Map<string, SchemaNode>): SchemaNode {
  const result: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(schema)) {
    if (ownKeywords.has(key)) continue;
    if (key === 'properties') result[key] = convertAll(value as Record<string, SchemaNode>, definitions);
    else if (key === 'items' || key === 'additionalProperties') result[key] = refer(value, definitions);
    else result[key] = value;
  }
  return result;
}

function convertAll(
  schemas: Record<string, SchemaNode>,
  definitions: Map<string, SchemaNode>,
): Record<string, unknown> {
  return Object.fromEntries(Object.entries(schemas).map(([key, schema]) => [key, refer(schema, definitions)]));
}

/** A reference to a named schema keeps what is said of this use of it beside the reference, as Kubernetes writes it. */
function refer(value: unknown, definitions: Map<string, SchemaNode>): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const schema = value as SchemaNode;
  if (schema['x-definition'] === undefined) return convert(schema, definitions);
  const name = define(schema, definitions);
  const $ref = `${definitionPrefix}${name}`;
  const { description } = schema;
  const isSaidThere = description === undefined || description === definitions.get(name)?.description;
  return isSaidThere ? { $ref } : { description, allOf: [{ $ref }] };
}
