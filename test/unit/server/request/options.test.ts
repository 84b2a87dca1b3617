import t from 'tap';
import type { Status } from '../../../../src/api/meta.ts';
import { StatusError } from '../../../../src/api/status-error.ts';
import { parseDeleteOptions } from '../../../../src/server/request/delete-options.ts';
import { parseListOptions } from '../../../../src/server/request/list-options.ts';
import { negotiate } from '../../../../src/server/request/media-type.ts';
import { booleanParameter, type Query } from '../../../../src/server/request/query.ts';
import { parseApplyOptions, parseWriteOptions } from '../../../../src/server/request/write-options.ts';

function statusOf(action: () => unknown): Status {
  try {
    action();
  } catch (error) {
    if (error instanceof StatusError) return error.status;
    throw error;
  }
  throw new Error('nothing was thrown');
}

t.test('the representation that a client asks for first and that there is', async (t) => {
  const table = 'application/json;as=Table;v=v1;g=meta.k8s.io';
  const cases: Record<string, string | undefined> = {
    '': 'object',
    '*/*': 'object',
    'application/*': 'object',
    'application/json': 'object',
    'APPLICATION/JSON': 'object',
    'application/json, */*': 'object',
    'application/vnd.kubernetes.protobuf,application/json': 'object',
    'application/vnd.kubernetes.protobuf': undefined,
    'text/html': undefined,
    [`${table},application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json`]: 'table',
    'application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json': 'object',
    'application/json;as=Table;v=v1beta1;g=meta.k8s.io': undefined,
    'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io': 'metadata',
    'application/json;as=Spaghetti;v=v1;g=meta.k8s.io': undefined,
    [`application/json;q=0.5,${table};q=0.9`]: 'table',
    'application/json;q=0': undefined,
    ';;;,,,=': undefined,
  };
  for (const [accept, representation] of Object.entries(cases)) {
    t.equal(negotiate(accept, ['object', 'table', 'metadata'])?.representation, representation, accept);
  }
  t.equal(negotiate(undefined, ['object'])?.representation, 'object');
  t.equal(negotiate(`${table},application/json`, ['object'])?.representation, 'object');
});

t.test('a parameter without a value is true', async (t) => {
  const cases: [Query, boolean][] = [
    [{}, false],
    [{ watch: '' }, true],
    [{ watch: 'true' }, true],
    [{ watch: '1' }, true],
    [{ watch: '0' }, false],
    [{ watch: 'False' }, false],
    [{ watch: ['false', 'true'] }, false],
  ];
  for (const [query, value] of cases) t.equal(booleanParameter(query, 'watch'), value, JSON.stringify(query));
  t.equal(booleanParameter({}, 'constructor'), false);
});

t.test('list options that contradict each other are refused by name', async (t) => {
  const accepted: Query[] = [
    {},
    { watch: '1', resourceVersion: '5', allowWatchBookmarks: '1' },
    { watch: '1', sendInitialEvents: 'true', resourceVersionMatch: 'NotOlderThan' },
    { watch: '1', sendInitialEvents: 'false', resourceVersionMatch: 'NotOlderThan', resourceVersion: '7' },
    { resourceVersion: '5', resourceVersionMatch: 'Exact' },
    { resourceVersion: '0', resourceVersionMatch: 'NotOlderThan' },
    { limit: '500', continue: 'x' },
  ];
  for (const query of accepted) t.doesNotThrow(() => parseListOptions(query), JSON.stringify(query));
  const refused: [Query, string][] = [
    [{ watch: '1', sendInitialEvents: 'true' }, 'resourceVersionMatch'],
    [{ watch: '1', resourceVersionMatch: 'NotOlderThan' }, 'resourceVersionMatch'],
    [{ watch: '1', resourceVersionMatch: 'Exact', sendInitialEvents: '1' }, 'resourceVersionMatch'],
    [{ sendInitialEvents: 'true' }, 'sendInitialEvents'],
    [{ resourceVersionMatch: 'Exact' }, 'resourceVersionMatch'],
    [{ resourceVersionMatch: 'Exact', resourceVersion: '0' }, 'resourceVersionMatch'],
    [{ resourceVersionMatch: 'Sometimes', resourceVersion: '4' }, 'resourceVersionMatch'],
    [{ resourceVersionMatch: 'Exact', resourceVersion: '4', continue: 'x' }, 'resourceVersionMatch'],
  ];
  for (const [query, field] of refused) {
    const status = statusOf(() => parseListOptions(query));
    t.match(status, { code: 422, reason: 'Invalid', details: { causes: [{ field }] } }, JSON.stringify(query));
  }
  for (const query of [
    { limit: 'x' },
    { limit: '-1' },
    { timeoutSeconds: '1.5' },
    { timeoutSeconds: '9'.repeat(30) },
  ]) {
    t.match(
      statusOf(() => parseListOptions(query)),
      { code: 400 },
      JSON.stringify(query),
    );
  }
});

t.test('write options', async (t) => {
  t.same(parseWriteOptions({}, 'CreateOptions', undefined), {
    dryRun: false,
    fieldValidation: 'Warn',
    fieldManager: 'unknown',
  });
  const query = { dryRun: 'All', fieldValidation: 'Strict', fieldManager: 'kubectl' };
  t.same(parseWriteOptions(query, 'CreateOptions', 'curl/8'), {
    dryRun: true,
    fieldValidation: 'Strict',
    fieldManager: 'kubectl',
  });
  for (const [query, field] of [
    [{ dryRun: 'Some' }, 'dryRun'],
    [{ fieldValidation: 'strict' }, 'fieldValidation'],
    [{ fieldManager: 'x'.repeat(129) }, 'fieldManager'],
    [{ fieldManager: 'a\nb' }, 'fieldManager'],
    [{ force: 'true' }, 'force'],
  ] as const) {
    const status = statusOf(() => parseWriteOptions(query, 'PatchOptions', undefined));
    t.match(status, { code: 422, details: { kind: 'PatchOptions', causes: [{ field }] } }, JSON.stringify(query));
  }
});

t.test('who names no field manager goes by its user agent', async (t) => {
  for (const [agent, manager] of [
    ['kubectl/v1.36.0 (linux/amd64) kubernetes/1234567', 'kubectl'],
    ['curl', 'curl'],
    ['', 'unknown'],
    ['a\u0007b/1', 'ab'],
    [`${'x'.repeat(200)}/1`, 'x'.repeat(128)],
  ] as const) {
    t.equal(parseWriteOptions({}, 'UpdateOptions', agent).fieldManager, manager, agent);
  }
});

t.test('who applies names its field manager, and may force', async (t) => {
  t.match(parseApplyOptions({ fieldManager: 'me', force: 'true' }), { fieldManager: 'me', force: true });
  t.match(parseApplyOptions({ fieldManager: 'me' }), { force: false });
  const status = statusOf(() => parseApplyOptions({}));
  t.match(status, {
    code: 422,
    message: 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
  });
});

t.test('delete options come from the body, or from the query when there is none', async (t) => {
  const nothing = { gracePeriodSeconds: undefined, uid: undefined, resourceVersion: undefined, dryRun: false };
  t.same(parseDeleteOptions({}, undefined), nothing);
  t.same(parseDeleteOptions({ gracePeriodSeconds: '5' }, undefined), { ...nothing, gracePeriodSeconds: 5 });
  t.same(
    parseDeleteOptions(
      { gracePeriodSeconds: '5' },
      {
        kind: 'DeleteOptions',
        apiVersion: 'v1',
        propagationPolicy: 'Background',
        gracePeriodSeconds: 0,
        preconditions: { uid: 'u', resourceVersion: '7' },
        dryRun: ['All'],
      },
    ),
    { gracePeriodSeconds: 0, uid: 'u', resourceVersion: '7', dryRun: true },
  );
  t.same(parseDeleteOptions({}, { gracePeriodSeconds: null, preconditions: null }), nothing);
  for (const body of [
    [],
    'text',
    { kind: 'Pod' },
    { gracePeriodSeconds: '5' },
    { gracePeriodSeconds: 1.5 },
    { gracePeriodSeconds: 9007199254740993n },
    { preconditions: [] },
    { preconditions: { uid: 1 } },
    { dryRun: 'All' },
  ]) {
    t.match(
      statusOf(() => parseDeleteOptions({}, body)),
      { code: 400 },
      typeof body,
    );
  }
  for (const body of [{ dryRun: ['x'] }, { propagationPolicy: 'Sideways' }]) {
    t.match(
      statusOf(() => parseDeleteOptions({}, body)),
      { code: 422 },
      JSON.stringify(body),
    );
  }
});
