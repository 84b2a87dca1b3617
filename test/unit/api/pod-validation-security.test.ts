import t from 'tap';
import { validatePodCreate } from '../../../src/api/pod-validation.ts';
import { checkVerdicts, type Manifest, manifest, preparedPod } from './pod-fixture.ts';

const ofPod = 'spec.securityContext';
const ofContainer = 'spec.containers[0].securityContext';

function container(securityContext: object, spec: Manifest['spec'] = {}): Manifest {
  return { container: { securityContext }, spec };
}

function pod(securityContext: object, spec: object = {}): Manifest {
  return { spec: { securityContext, ...spec } };
}

t.test('users and groups', async (t) => {
  checkVerdicts(t, [
    ['the greatest', pod({ runAsUser: 2 ** 31 - 1, runAsGroup: 0, fsGroup: 1, supplementalGroups: [1, 2] })],
    ['a user too great', pod({ runAsUser: 2 ** 31 }), [`FieldValueInvalid ${ofPod}.runAsUser`]],
    ['a negative group', container({ runAsGroup: -1 }), [`FieldValueInvalid ${ofContainer}.runAsGroup`]],
    ['a negative user', container({ runAsUser: -1 }), [`FieldValueInvalid ${ofContainer}.runAsUser`]],
    ['a group of files', pod({ fsGroup: -1 }), [`FieldValueInvalid ${ofPod}.fsGroup`]],
    ['other groups', pod({ supplementalGroups: [0, -1] }), [`FieldValueInvalid ${ofPod}.supplementalGroups[1]`]],
    ['when files change', pod({ fsGroupChangePolicy: 'x' }), [`FieldValueNotSupported ${ofPod}.fsGroupChangePolicy`]],
    [
      'groups of the image',
      pod({ supplementalGroupsPolicy: 'x' }),
      [`FieldValueNotSupported ${ofPod}.supplementalGroupsPolicy`],
    ],
    ['SELinux', pod({ seLinuxChangePolicy: 'x' }), [`FieldValueNotSupported ${ofPod}.seLinuxChangePolicy`]],
  ]);
});

t.test('privileges', async (t) => {
  checkVerdicts(t, [
    ['capabilities', container({ capabilities: { add: ['NET_ADMIN'], drop: ['ALL'] } })],
    ['privileged', container({ privileged: true }), [`FieldValueForbidden ${ofContainer}.privileged`]],
    ['no escalation', container({ allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } })],
    [
      'no escalation, but privileged',
      container({ allowPrivilegeEscalation: false, privileged: true }),
      [`FieldValueForbidden ${ofContainer}.privileged`, `FieldValueInvalid ${ofContainer}`],
    ],
    [
      'no escalation, but all rights',
      container({ allowPrivilegeEscalation: false, capabilities: { add: ['CAP_SYS_ADMIN'] } }),
      [`FieldValueInvalid ${ofContainer}`],
    ],
    ['an open /proc', container({ procMount: 'Unmasked' }, { hostUsers: false })],
    ['an open /proc of the host', container({ procMount: 'Unmasked' }), [`FieldValueInvalid ${ofContainer}.procMount`]],
    ['another /proc', container({ procMount: 'x' }), [`FieldValueNotSupported ${ofContainer}.procMount`]],
  ]);
  const privileged = preparedPod(manifest(container({ privileged: true })));
  t.same(validatePodCreate(privileged, { allowPrivileged: true }), [], 'privileged containers can be allowed');
});

t.test('seccomp and AppArmor', async (t) => {
  for (const field of ['seccompProfile', 'appArmorProfile']) {
    checkVerdicts(t, [
      [`${field} of the runtime`, container({ [field]: { type: 'RuntimeDefault' } })],
      [`${field} of the host`, pod({ [field]: { type: 'Localhost', localhostProfile: 'a/b' } })],
      [`no ${field}`, container({ [field]: { type: '' } }), [`FieldValueRequired ${ofContainer}.${field}.type`]],
      [`unknown ${field}`, pod({ [field]: { type: 'x' } }), [`FieldValueNotSupported ${ofPod}.${field}.type`]],
      [
        `${field} without a name`,
        pod({ [field]: { type: 'Localhost' } }),
        [`FieldValueRequired ${ofPod}.${field}.localhostProfile`],
      ],
      [
        `${field} with a name too many`,
        pod({ [field]: { type: 'Unconfined', localhostProfile: 'a' } }),
        [`FieldValueInvalid ${ofPod}.${field}.localhostProfile`],
      ],
    ]);
  }
  const seccomp = (localhostProfile: string) => pod({ seccompProfile: { type: 'Localhost', localhostProfile } });
  const appArmor = (localhostProfile: string) => pod({ appArmorProfile: { type: 'Localhost', localhostProfile } });
  checkVerdicts(t, [
    ['a seccomp file elsewhere', seccomp('../a'), [`FieldValueInvalid ${ofPod}.seccompProfile.localhostProfile`]],
    ['an absolute seccomp file', seccomp('/a'), [`FieldValueInvalid ${ofPod}.seccompProfile.localhostProfile`]],
    ['an empty profile', appArmor(''), [`FieldValueRequired ${ofPod}.appArmorProfile.localhostProfile`]],
    ['a padded profile', appArmor(' a'), [`FieldValueInvalid ${ofPod}.appArmorProfile.localhostProfile`]],
    ['a long profile', appArmor('a'.repeat(4096)), [`FieldValueTooLong ${ofPod}.appArmorProfile.localhostProfile`]],
  ]);
});

t.test('sysctls', async (t) => {
  const sysctls = (names: string[], spec = {}) => pod({ sysctls: names.map((name) => ({ name, value: '1' })) }, spec);
  const s = `${ofPod}.sysctls`;
  checkVerdicts(t, [
    ['dots and slashes', sysctls(['kernel.shm_rmid_forced', 'net/ipv4/ip_forward'])],
    ['no name', sysctls(['']), [`FieldValueRequired ${s}[0].name`]],
    ['a bad name', sysctls(['a..b']), [`FieldValueInvalid ${s}[0].name`]],
    ['one name twice', sysctls(['a.b', 'a.b']), [`FieldValueDuplicate ${s}[1].name`]],
    ['a long name', sysctls(['a'.repeat(254)]), [`FieldValueInvalid ${s}[0].name`]],
    ["the host's network", sysctls(['net.ipv4.ip_forward'], { hostNetwork: true }), [`FieldValueInvalid ${s}[0].name`]],
    [
      "the host's network with slashes",
      sysctls(['net/a.b'], { hostNetwork: true }),
      [`FieldValueInvalid ${s}[0].name`],
    ],
    ["the host's messages", sysctls(['fs.mqueue.msg_max'], { hostIPC: true }), [`FieldValueInvalid ${s}[0].name`]],
    ["other sysctls beside the host's", sysctls(['kernel.sem'], { hostNetwork: true })],
  ]);
});

t.test('namespaces of the host', async (t) => {
  checkVerdicts(t, [
    ['all of them', { spec: { hostNetwork: true, hostPID: true, hostIPC: true } }],
    [
      'processes of the pod and the host',
      { spec: { hostPID: true, shareProcessNamespace: true } },
      [`FieldValueInvalid ${ofPod}.shareProcessNamespace`],
    ],
    ['users of its own', { spec: { hostUsers: false } }],
    [
      'users of its own and all else from the host',
      { spec: { hostUsers: false, hostNetwork: true, hostPID: true, hostIPC: true } },
      ['FieldValueForbidden spec.hostNetwork', 'FieldValueForbidden spec.HostPID', 'FieldValueForbidden spec.HostIPC'],
    ],
    [
      'users of its own and devices',
      {
        spec: { hostUsers: false, volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'a' } }] },
        container: { volumeDevices: [{ name: 'v', devicePath: '/dev/v' }] },
      },
      ['FieldValueForbidden spec.containers[0].volumeDevices'],
    ],
  ]);
});

t.test('operating systems', async (t) => {
  const windows = { os: { name: 'windows' } };
  const user = (runAsUserName: string) => container({ windowsOptions: { runAsUserName } });
  const w = `${ofContainer}.windowsOptions`;
  checkVerdicts(t, [
    ['Linux', { spec: { os: { name: 'linux' } } }],
    ['Windows', { spec: windows }],
    ['no name', { spec: { os: { name: '' } } }, ['FieldValueRequired spec.os.name']],
    ['another one', { spec: { os: { name: 'plan9' } } }, ['FieldValueNotSupported spec.os']],
    ['a Linux user on Windows', pod({ runAsUser: 1 }, windows), [`FieldValueForbidden ${ofPod}.runAsUser`]],
    [
      'capabilities on Windows',
      container({ capabilities: {} }, windows),
      [`FieldValueForbidden ${ofContainer}.capabilities`],
    ],
    [
      'host processes of Linux on Windows',
      { spec: { ...windows, hostPID: true } },
      ['FieldValueForbidden spec.hostPID'],
    ],
    [
      'Windows options on Linux',
      container({ windowsOptions: {} }, { os: { name: 'linux' } }),
      [`FieldValueForbidden ${w}`],
    ],
    ['a user', user('DOMAIN\\user')],
    ['no user', user(''), [`FieldValueInvalid ${w}.runAsUserName`]],
    ['a domain without a user', user('A\\'), [`FieldValueInvalid ${w}.runAsUserName`]],
    ['a long domain', user(`${'a.'.repeat(128)}a\\b`), [`FieldValueInvalid ${w}.runAsUserName`]],
    [
      'Windows options of a Linux pod',
      pod({ windowsOptions: {} }, { os: { name: 'linux' } }),
      [`FieldValueForbidden ${ofPod}.windowsOptions`],
    ],
    ['users of its own on Windows', { spec: { ...windows, hostUsers: false } }, ['FieldValueForbidden spec.hostUsers']],
    [
      'a process of the host beside another',
      {
        spec: {
          hostNetwork: true,
          containers: [
            { name: 'a', image: 'x', securityContext: { windowsOptions: { hostProcess: true } } },
            { name: 'b', image: 'x' },
          ],
        },
      },
      ['FieldValueForbidden spec', 'FieldValueInvalid spec'],
    ],
    ['two backslashes', user('a\\b\\c'), [`FieldValueInvalid ${w}.runAsUserName`]],
    ['a control character', user('a\n'), [`FieldValueInvalid ${w}.runAsUserName`]],
    ['only dots', user('..'), [`FieldValueInvalid ${w}.runAsUserName`]],
    ['a bad character', user('a/b'), [`FieldValueInvalid ${w}.runAsUserName`]],
    ['a bad domain', user('.a\\b'), [`FieldValueInvalid ${w}.runAsUserName`]],
    ['a long user', user('a'.repeat(105)), [`FieldValueInvalid ${w}.runAsUserName`]],
    [
      'credentials by name',
      container({ windowsOptions: { gmsaCredentialSpecName: 'A' } }),
      [`FieldValueInvalid ${w}.gmsaCredentialSpecName`],
    ],
    [
      'no credentials',
      container({ windowsOptions: { gmsaCredentialSpec: '' } }),
      [`FieldValueInvalid ${w}.gmsaCredentialSpec`],
    ],
    [
      'many credentials',
      container({ windowsOptions: { gmsaCredentialSpec: 'x'.repeat(65537) } }),
      [`FieldValueInvalid ${w}.gmsaCredentialSpec`],
    ],
    [
      'a process of the host',
      container({ windowsOptions: { hostProcess: true } }, { hostNetwork: true }),
      ['FieldValueForbidden spec'],
    ],
    [
      'a process of the host on no network of it',
      container({ windowsOptions: { hostProcess: true } }),
      ['FieldValueForbidden spec', 'FieldValueInvalid spec.hostNetwork'],
    ],
    [
      'a process of the host that is none',
      {
        spec: { securityContext: { windowsOptions: { hostProcess: true } }, hostNetwork: true },
        container: { securityContext: { windowsOptions: { hostProcess: false } } },
      },
      [`FieldValueInvalid ${w}.hostProcess`],
    ],
  ]);
});
