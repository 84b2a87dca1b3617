import t from 'tap';
import { envelope, protobufBody } from '../../api/decode/protobuf-bodies.ts';
import { podManifest, podsUrl, startApi } from '../support.ts';

const headers = { 'content-type': 'application/vnd.kubernetes.protobuf' };

t.test('an object in protobuf is created, defaulted and answered in JSON', async (t) => {
  const { request } = await startApi(t);
  const document = { apiVersion: 'v1', kind: 'Pod', ...(podManifest('a') as object) };
  const created = await request('POST', podsUrl, protobufBody(document), headers);
  t.equal(created.code, 201, created.text);
  const asJson = await request('POST', podsUrl, { ...document, ...(podManifest('b') as object) });
  t.same(created.body.spec, asJson.body.spec);
  const options = { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds: 7 };
  const deleted = await request('DELETE', `${podsUrl}/a`, protobufBody(options), headers);
  t.equal(deleted.body.metadata.deletionGracePeriodSeconds, 7, deleted.text);
});

t.test('what is wrong with an object is told as of JSON', async (t) => {
  const { request } = await startApi(t);
  const body = (spec: object) => protobufBody({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'x' }, spec });
  t.match(await request('POST', podsUrl, body({ containers: [{ name: 'A', image: 'i' }] }), headers), {
    code: 422,
    body: { details: { causes: [{ field: 'spec.containers[0].name' }] } },
  });
  const wrongKind = protobufBody({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'x' } });
  t.match(await request('POST', podsUrl, wrongKind, headers), {
    code: 400,
    body: { message: /the kind in the data \(Secret\) does not match the expected kind \(Pod\)/ },
  });
  const deployment = envelope({ apiVersion: 'apps/v1', kind: 'Deployment' });
  t.match(await request('POST', podsUrl, deployment, headers), { code: 415, body: { message: /"Deployment"/ } });
});
