import t from 'tap';
import { type ApiAccessOptions, addApiAccess } from '../../../src/api/pod-api-access.ts';
import type { ServiceAccount } from '../../../src/api/service-account.ts';
import { manifest, preparedPod } from './pod-fixture.ts';

const options: ApiAccessOptions = { byDefault: false, hasAuthority: true, nameSuffix: 'abcde' };
const mountPath = '/var/run/secrets/kubernetes.io/serviceaccount';

const account = (automountServiceAccountToken?: boolean): ServiceAccount => ({
  apiVersion: 'v1',
  kind: 'ServiceAccount',
  metadata: { name: 'default', namespace: 'default', uid: '1' },
  ...(automountServiceAccountToken === undefined ? {} : { automountServiceAccountToken }),
});

function podWith(spec: Record<string, unknown>, owner: ServiceAccount | undefined, changes: Partial<ApiAccessOptions>) {
  const pod = preparedPod(manifest({ spec: { containers: [{ name: 'c', image: 'i' }], ...spec } }));
  addApiAccess(pod, owner, { ...options, ...changes });
  return pod;
}

t.test('the pod says whether, then its account, then the setting', async (t) => {
  const cases: [pod: boolean | undefined, account: boolean | undefined, byDefault: boolean, isMounted: boolean][] = [
    [undefined, undefined, false, false],
    [undefined, undefined, true, true],
    [undefined, false, true, false],
    [undefined, true, false, true],
    [false, true, true, false],
    [true, false, false, true],
  ];
  for (const [automountServiceAccountToken, owner, byDefault, isMounted] of cases) {
    const spec = automountServiceAccountToken === undefined ? {} : { automountServiceAccountToken };
    const pod = podWith(spec, account(owner), { byDefault });
    t.equal(
      pod.spec.volumes !== undefined,
      isMounted,
      JSON.stringify([automountServiceAccountToken, owner, byDefault]),
    );
  }
});

t.test("the volume is Kubernetes' own, in all containers that have nothing else there", async (t) => {
  const own = { name: 'own', image: 'i', volumeMounts: [{ name: 'v', mountPath }] };
  const spec = {
    automountServiceAccountToken: true,
    initContainers: [{ name: 'init', image: 'i' }],
    containers: [{ name: 'c', image: 'i' }, own],
    volumes: [{ name: 'v', emptyDir: {} }],
  };
  const { volumes = [], initContainers = [], containers } = podWith(spec, undefined, {}).spec;
  t.same(volumes.at(-1), {
    name: 'kube-api-access-abcde',
    projected: {
      sources: [
        { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
        {
          downwardAPI: {
            items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
          },
        },
      ],
      defaultMode: 420,
    },
  });
  const mount = { name: 'kube-api-access-abcde', readOnly: true, mountPath };
  t.same(
    [...initContainers, ...containers].map(({ volumeMounts }) => volumeMounts),
    [[mount], [mount], own.volumeMounts],
  );
  const alone = podWith({ ...spec, initContainers: [], containers: [own] }, undefined, {});
  t.equal(alone.spec.volumes?.length, 1, 'nobody would mount it');
  const twice = podWith(spec, undefined, {});
  addApiAccess(twice, undefined, { ...options, nameSuffix: 'zzzzz' });
  t.equal(twice.spec.volumes?.length, 2, 'a pod that has one keeps it');
  t.match(podWith(spec, undefined, { hasAuthority: false }).spec.volumes?.at(-1)?.projected?.sources, [
    {},
    { configMap: { optional: true } },
    {},
  ]);
});
