import t from 'tap';
import { checkVerdicts, type Manifest } from './pod-fixture.ts';

const r = 'spec.containers[0].resources';

function resources(limits: object, requests: object = {}): Manifest {
  return { container: { resources: { limits, requests } } };
}

t.test('requests and limits of a container', async (t) => {
  checkVerdicts(t, [
    ['all at once', resources({ cpu: '1', memory: '1Gi' }, { cpu: '10m', memory: '1M', 'ephemeral-storage': '1G' })],
    ['nothing', resources({ cpu: '0' })],
    [
      'less than nothing',
      resources({ cpu: '-1' }),
      [`FieldValueInvalid ${r}.limits[cpu]`, `FieldValueInvalid ${r}.requests[cpu]`],
    ],
    ['a request above the limit', resources({ cpu: '1' }, { cpu: '1001m' }), [`FieldValueInvalid ${r}.requests`]],
    ['a request as high as the limit', resources({ memory: '1Gi' }, { memory: '1024Mi' })],
    ['a request without a limit', resources({}, { memory: '1Gi' })],
    ['no resource of containers', resources({}, { storage: '1' }), [`FieldValueInvalid ${r}.requests[storage]`]],
    [
      'an unknown resource is wrong twice',
      resources({}, { gpu: '1' }),
      [`FieldValueInvalid ${r}.requests[gpu]`, `FieldValueInvalid ${r}.requests[gpu]`],
    ],
  ]);
});

t.test('resources of device plugins', async (t) => {
  const gpu = 'example.com/gpu';
  checkVerdicts(t, [
    ['a device', resources({ [gpu]: '1' })],
    [
      'half a device',
      resources({ [gpu]: '500m' }),
      [`FieldValueInvalid ${r}.limits[${gpu}]`, `FieldValueInvalid ${r}.requests[${gpu}]`],
    ],
    ['fewer than the limit', resources({ [gpu]: '2' }, { [gpu]: '1' }), [`FieldValueInvalid ${r}.requests`]],
    ['no limit', resources({}, { [gpu]: '1' }), [`FieldValueRequired ${r}.limits`]],
    [
      'a bad name',
      resources({}, { 'a b/c': '1' }),
      [
        `FieldValueInvalid ${r}.requests[a b/c]`,
        `FieldValueInvalid ${r}.requests[a b/c]`,
        `FieldValueRequired ${r}.limits`,
      ],
    ],
  ]);
});

t.test('huge pages', async (t) => {
  const pages = 'hugepages-2Mi';
  checkVerdicts(t, [
    ['whole pages', resources({ [pages]: '4Mi', memory: '1Gi' })],
    [
      'half a page',
      resources({ [pages]: '1Mi', memory: '1Gi' }),
      [`FieldValueInvalid ${r}.limits[${pages}]`, `FieldValueInvalid ${r}.requests[${pages}]`],
    ],
    ['without memory', resources({ [pages]: '2Mi' }), [`FieldValueForbidden ${r}`]],
    [
      'fewer than the limit',
      resources({ [pages]: '4Mi', memory: '1Gi' }, { [pages]: '2Mi' }),
      [`FieldValueInvalid ${r}.requests`],
    ],
  ]);
});

t.test('resources of the whole pod', async (t) => {
  const pages = 'hugepages-2Mi';
  const whole = (podLevel: object, container: object = {}): Manifest => ({
    spec: { resources: podLevel },
    container: { resources: container },
  });
  checkVerdicts(t, [
    ['limits', whole({ limits: { cpu: '1', memory: '1Gi' } }, { requests: { cpu: '1' } })],
    [
      'what only containers have',
      whole({ limits: { cpu: '1', 'ephemeral-storage': '1' } }),
      ['FieldValueNotSupported spec.resources.limits[ephemeral-storage]'],
    ],
    [
      'a request above the limit',
      whole({ limits: { cpu: '1' }, requests: { cpu: '2' } }),
      ['FieldValueInvalid spec.resources.requests'],
    ],
    [
      'fewer than the containers request',
      whole({ requests: { cpu: '1' } }, { requests: { cpu: '2' } }),
      ['FieldValueInvalid spec.resources.requests[cpu]'],
    ],
    ['nothing', whole({}, { requests: { cpu: '1' } })],
    [
      'one resource, and others of containers',
      whole({ requests: { cpu: '1' } }, { requests: { memory: '1Gi', 'ephemeral-storage': '1Gi' } }),
    ],
    [
      'fewer huge pages than the containers have together',
      {
        spec: {
          resources: { limits: { cpu: '1', [pages]: '2Mi' } },
          containers: ['a', 'b'].map((name) => ({
            name,
            image: 'busybox',
            resources: { limits: { memory: '1Gi', [pages]: '2Mi' } },
          })),
        },
      },
      [`FieldValueInvalid spec.resources.limits[${pages}]`, `FieldValueInvalid spec.resources.requests[${pages}]`],
    ],
    [
      'a limit below that of a container',
      whole({ limits: { cpu: '1' } }, { limits: { cpu: '2' }, requests: { cpu: '1' } }),
      ['FieldValueInvalid spec.resources.containers[0][cpu].limits'],
    ],
    [
      'claims that the pod lacks',
      whole({ limits: { cpu: '1' }, claims: [{ name: 'x' }] }),
      ['FieldValueForbidden spec.resources.claims', 'FieldValueNotFound spec.resources.claims[0]'],
    ],
    [
      'claims of the pod',
      {
        spec: {
          resources: { limits: { cpu: '1' }, claims: [{ name: 'x' }] },
          resourceClaims: [{ name: 'x', resourceClaimName: 'y' }],
        },
      },
      ['FieldValueForbidden spec.resources.claims'],
    ],
    [
      'on Windows',
      { spec: { resources: { limits: { cpu: '1' } }, os: { name: 'windows' } } },
      ['FieldValueForbidden spec.resources'],
    ],
  ]);
});

t.test('claims of a container', async (t) => {
  const claims = (...list: object[]): Manifest => ({
    spec: { resourceClaims: [{ name: 'gpu', resourceClaimName: 'x' }] },
    container: { resources: { claims: list } },
  });
  checkVerdicts(t, [
    ['a claim', claims({ name: 'gpu' })],
    ['parts of a claim', claims({ name: 'gpu', request: 'a' }, { name: 'gpu', request: 'b' })],
    ['no name', claims({ name: '' }), [`FieldValueRequired ${r}.claims[0]`]],
    ['a claim twice', claims({ name: 'gpu' }, { name: 'gpu' }), [`FieldValueDuplicate ${r}.claims[1]`]],
    [
      'a part twice',
      claims({ name: 'gpu', request: 'a' }, { name: 'gpu', request: 'a' }),
      [`FieldValueDuplicate ${r}.claims[1]`],
    ],
    [
      'a part and the whole',
      claims({ name: 'gpu', request: 'a' }, { name: 'gpu' }),
      [`FieldValueDuplicate ${r}.claims[1]`],
    ],
    ['a bad part', claims({ name: 'gpu', request: 'A' }), [`FieldValueInvalid ${r}.claims[0].request`]],
    ['a claim that the pod lacks', claims({ name: 'x' }), [`FieldValueNotFound ${r}.claims[0]`]],
  ]);
});
