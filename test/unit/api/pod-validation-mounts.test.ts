import t from 'tap';
import { checkVerdicts, type Manifest } from './pod-fixture.ts';

t.test('mounts', async (t) => {
  const volumes = [
    { name: 'v', emptyDir: {} },
    { name: 'w', emptyDir: {} },
  ];
  const mounts = (...volumeMounts: object[]): Manifest => ({ container: { volumeMounts }, spec: { volumes } });
  const mount = { name: 'v', mountPath: '/v' };
  const m = 'spec.containers[0].volumeMounts';
  checkVerdicts(t, [
    ['a volume in two places', mounts(mount, { ...mount, mountPath: '/w', subPath: 'a', readOnly: true })],
    ['two volumes in one place', mounts(mount, { ...mount, name: 'w' }), [`FieldValueInvalid ${m}[1].mountPath`]],
    ['no place', mounts({ ...mount, mountPath: '' }), [`FieldValueRequired ${m}[0].mountPath`]],
    [
      'no volume',
      mounts({ ...mount, name: '' }),
      [`FieldValueRequired ${m}[0].name`, `FieldValueNotFound ${m}[0].name`],
    ],
    ['an unknown volume', mounts({ ...mount, name: 'x' }), [`FieldValueNotFound ${m}[0].name`]],
    ['a path that goes up', mounts({ ...mount, subPath: '../a' }), [`FieldValueInvalid ${m}.subPath`]],
    ['an absolute path', mounts({ ...mount, subPathExpr: '/$(A)' }), [`FieldValueInvalid ${m}.subPathExpr`]],
    ['two paths', mounts({ ...mount, subPath: 'a', subPathExpr: 'b' }), [`FieldValueInvalid ${m}[0].subPathExpr`]],
    ['propagation', mounts({ ...mount, mountPropagation: 'HostToContainer' })],
    [
      'an unknown propagation',
      mounts({ ...mount, mountPropagation: 'x' }),
      [`FieldValueNotSupported ${m}.mountPropagation`],
    ],
    [
      'propagation to the host',
      mounts({ ...mount, mountPropagation: 'Bidirectional' }),
      [`FieldValueForbidden ${m}.mountPropagation`],
    ],
    ['wholly read-only', mounts({ ...mount, readOnly: true, recursiveReadOnly: 'Enabled' })],
    [
      'wholly read-only and writable',
      mounts({ ...mount, recursiveReadOnly: 'Enabled' }),
      [`FieldValueForbidden ${m}.recursiveReadOnly`],
    ],
    [
      'wholly read-only and open to the host',
      mounts({ ...mount, readOnly: true, recursiveReadOnly: 'IfPossible', mountPropagation: 'HostToContainer' }),
      [`FieldValueForbidden ${m}.recursiveReadOnly`],
    ],
    ['unknown', mounts({ ...mount, recursiveReadOnly: 'x' }), [`FieldValueNotSupported ${m}.recursiveReadOnly`]],
    [
      'a volume that is bad itself',
      { container: { volumeMounts: [mount] }, spec: { volumes: [{ name: 'v', secret: {} }] } },
      [`FieldValueNotFound ${m}[0].name`, 'FieldValueRequired spec.volumes[0].secret.secretName'],
    ],
  ]);
});

t.test('devices', async (t) => {
  const volumes = [
    { name: 'v', persistentVolumeClaim: { claimName: 'a' } },
    { name: 'dir', emptyDir: {} },
  ];
  const devices = (volumeDevices: object[], volumeMounts: object[] = []): Manifest => ({
    container: { volumeDevices, volumeMounts },
    spec: { volumes },
  });
  const device = { name: 'v', devicePath: '/dev/v' };
  const d = 'spec.containers[0].volumeDevices[0]';
  checkVerdicts(t, [
    ['a device', devices([device])],
    ['a directory', devices([{ ...device, name: 'dir' }]), [`FieldValueInvalid ${d}.name`]],
    ['an unknown volume', devices([{ ...device, name: 'x' }]), [`FieldValueNotFound ${d}.name`]],
    ['no path', devices([{ ...device, devicePath: '' }]), [`FieldValueRequired ${d}.devicePath`]],
    ['a path that goes up', devices([{ ...device, devicePath: '/dev/../v' }]), [`FieldValueInvalid ${d}.devicePath`]],
    [
      'a device twice',
      devices([device, device]),
      [
        'FieldValueInvalid spec.containers[0].volumeDevices[1].devicePath',
        'FieldValueInvalid spec.containers[0].volumeDevices[1].name',
      ],
    ],
    [
      'a device and a mount',
      devices([device], [{ name: 'v', mountPath: '/v' }]),
      [
        'FieldValueInvalid spec.containers[0].volumeDevices[0].name',
        'FieldValueInvalid spec.containers[0].volumeMounts[0].name',
      ],
    ],
    [
      'a device and a mount in one place',
      devices([device], [{ name: 'dir', mountPath: '/dev/v' }]),
      [
        'FieldValueInvalid spec.containers[0].volumeDevices[0].devicePath',
        'FieldValueInvalid spec.containers[0].volumeMounts[0].mountPath',
      ],
    ],
  ]);
});
