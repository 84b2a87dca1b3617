import t from 'tap';
import { checkVerdicts, type Manifest } from './pod-fixture.ts';

const v = 'spec.volumes[0]';

function volume(source: object, spec = {}): Manifest {
  return { spec: { volumes: [{ name: 'v', ...source }], ...spec } };
}

t.test('volumes', async (t) => {
  const emptyDir = {};
  checkVerdicts(t, [
    ['no source is an emptyDir', volume({})],
    ['no name', volume({ name: '', emptyDir }), [`FieldValueRequired ${v}.name`]],
    ['a bad name', volume({ name: 'a.b', emptyDir }), [`FieldValueInvalid ${v}.name`]],
    [
      'one name twice',
      {
        spec: {
          volumes: [
            { name: 'a', emptyDir },
            { name: 'a', emptyDir },
          ],
        },
      },
      ['FieldValueDuplicate spec.volumes[1].name'],
    ],
    ['two sources', volume({ emptyDir, hostPath: { path: '/a' } }), [`FieldValueForbidden ${v}.hostPath`]],
    [
      'a second source that is bad as well',
      volume({ emptyDir, hostPath: { path: '' } }),
      [`FieldValueForbidden ${v}.hostPath`],
    ],
    ['less than no size', volume({ emptyDir: { sizeLimit: '-1' } }), [`FieldValueForbidden ${v}.emptyDir.sizeLimit`]],
    ['a host path', volume({ hostPath: { path: '/a', type: 'DirectoryOrCreate' } })],
    ['no host path', volume({ hostPath: { path: '' } }), [`FieldValueRequired ${v}.hostPath.path`]],
    ['a host path that goes up', volume({ hostPath: { path: '/a/../b' } }), [`FieldValueInvalid ${v}.hostPath.path`]],
    ['a host path with dots', volume({ hostPath: { path: '/a..b' } })],
    [
      'a type of host path',
      volume({ hostPath: { path: '/a', type: 'x' } }),
      [`FieldValueNotSupported ${v}.hostPath.type`],
    ],
    ['a claim', volume({ persistentVolumeClaim: { claimName: 'a' } })],
    [
      'no claim',
      volume({ persistentVolumeClaim: { claimName: '' } }),
      [`FieldValueRequired ${v}.persistentVolumeClaim.claimName`],
    ],
    ['an image', volume({ image: { reference: 'x' } })],
    ['no image', volume({ image: {} }), [`FieldValueRequired ${v}.image.reference`]],
    [
      'a pull policy',
      volume({ image: { reference: 'x', pullPolicy: 'y' } }),
      [`FieldValueNotSupported ${v}.image.pullPolicy`],
    ],
    ['a repository', volume({ gitRepo: { repository: 'x', directory: 'a' } })],
    ['no repository', volume({ gitRepo: { repository: '' } }), [`FieldValueRequired ${v}.gitRepo.repository`]],
    [
      'a repository elsewhere',
      volume({ gitRepo: { repository: 'x', directory: '/a' } }),
      [`FieldValueInvalid ${v}.gitRepo.directory`],
    ],
  ]);
});

t.test('files from objects', async (t) => {
  const fieldRef = { fieldPath: 'metadata.labels' };
  const resourceFieldRef = { containerName: 'app', resource: 'limits.cpu' };
  const config = (fields: object) => volume({ configMap: { name: 'a', ...fields } });
  const downward = (item: object) => volume({ downwardAPI: { items: [{ path: 'a', ...item }] } });
  const item = { key: 'k', path: 'a/b' };
  const c = `${v}.configMap`;
  const d = `${v}.downwardAPI`;
  checkVerdicts(t, [
    ['a config map', config({ items: [{ ...item, mode: 0o777 }], defaultMode: 0 })],
    ['no name', volume({ configMap: {} }), [`FieldValueRequired ${c}.name`]],
    ['no secret', volume({ secret: {} }), [`FieldValueRequired ${v}.secret.secretName`]],
    ['a mode too wide', config({ defaultMode: 0o1000 }), [`FieldValueInvalid ${c}.defaultMode`]],
    ['a negative mode', config({ items: [{ ...item, mode: -1 }] }), [`FieldValueInvalid ${c}.items[0].mode`]],
    ['no key', config({ items: [{ ...item, key: '' }] }), [`FieldValueRequired ${c}.items[0].key`]],
    ['no path', config({ items: [{ ...item, path: '' }] }), [`FieldValueRequired ${c}.items[0].path`]],
    ['an absolute path', config({ items: [{ ...item, path: '/a' }] }), [`FieldValueInvalid ${c}.items[0].path`]],
    ['a path that goes up', config({ items: [{ ...item, path: 'a/../b' }] }), [`FieldValueInvalid ${c}.items[0].path`]],
    [
      'a name for the daemon',
      config({ items: [{ ...item, path: '..data' }] }),
      [`FieldValueInvalid ${c}.items[0].path`],
    ],
    ['fields', downward({ fieldRef })],
    ['a label', downward({ fieldRef: { fieldPath: "metadata.labels['a']" } })],
    ['resources', downward({ resourceFieldRef })],
    [
      'a field for variables only',
      downward({ fieldRef: { fieldPath: 'status.podIP' } }),
      [`FieldValueNotSupported ${d}.fieldRef.fieldPath`],
    ],
    [
      'no container',
      downward({ resourceFieldRef: { resource: 'limits.cpu' } }),
      [`FieldValueRequired ${d}.resourceFieldRef.containerName`],
    ],
    ['neither', downward({}), [`FieldValueRequired ${d}`]],
    ['both', downward({ fieldRef, resourceFieldRef }), [`FieldValueInvalid ${d}`]],
    ['nowhere', downward({ fieldRef, path: '' }), [`FieldValueRequired ${d}.path`]],
    ['elsewhere', downward({ fieldRef, path: '../a' }), [`FieldValueInvalid ${d}.path`]],
  ]);
});

t.test('projected volumes', async (t) => {
  const projected = (...sources: object[]) => volume({ projected: { sources } }, { serviceAccountName: 'a' });
  const config = (path: string) => ({ configMap: { name: 'c', items: [{ key: 'k', path }] } });
  const token = { path: 'token' };
  const p = `${v}.projected`;
  const s = `${p}.sources[0]`;
  checkVerdicts(t, [
    ['several sources', projected(config('a'), { secret: { name: 's' } }, { serviceAccountToken: token })],
    ['no name', projected({ secret: {} }), [`FieldValueRequired ${s}.secret.name`]],
    [
      'no key',
      projected({ secret: { name: 's', items: [{ key: '', path: 'a' }] } }),
      [`FieldValueRequired ${s}.secret.items[0].key`],
    ],
    ['one path twice', projected(config('a'), config('a')), [`FieldValueInvalid ${p}`]],
    [
      'two kinds in one source',
      projected({ configMap: { name: 'c' }, secret: { name: 's' } }),
      [`FieldValueForbidden ${s}`],
    ],
    [
      'a file of the pod',
      projected({ downwardAPI: { items: [{ path: 'a' }] } }),
      [`FieldValueRequired ${s}.downwardAPI`],
    ],
    [
      'a short-lived token',
      projected({ serviceAccountToken: { ...token, expirationSeconds: 599 } }),
      [`FieldValueInvalid ${s}.serviceAccountToken.expirationSeconds`],
    ],
    [
      'a token for ever',
      projected({ serviceAccountToken: { ...token, expirationSeconds: 2 ** 32 + 1 } }),
      [`FieldValueInvalid ${s}.serviceAccountToken.expirationSeconds`],
    ],
    ['a token nowhere', projected({ serviceAccountToken: { path: '' } }), [`FieldValueRequired ${p}.path`]],
    [
      'a token without an account',
      volume({ projected: { sources: [{ serviceAccountToken: token }] } }),
      [`FieldValueForbidden ${s}.serviceAccountToken`],
    ],
    ['a mode', volume({ projected: { sources: [], defaultMode: 512 } }), [`FieldValueInvalid ${p}.defaultMode`]],
  ]);
});

t.test('volumes from elsewhere need to be told where', async (t) => {
  const lun = 0;
  const iscsi = { targetPortal: 'a', iqn: 'iqn.2015-02.example.com:test', lun };
  const disk = { diskName: 'a', diskURI: 'https://b', kind: 'Dedicated' };
  const source = (name: string, fields: object, ...want: string[]) =>
    [name, volume({ [name]: fields }), want.map((line) => line.replace(' ', ` ${v}.`))] as [string, Manifest, string[]];
  const longPortal = { ...iscsi, targetPortal: 'a'.repeat(63), initiatorName: iscsi.iqn };
  checkVerdicts(t, [
    source('gcePersistentDisk', { pdName: '' }, 'FieldValueRequired persistentDisk.pdName'),
    source('gcePersistentDisk', { pdName: 'a', partition: 256 }, 'FieldValueInvalid persistentDisk.partition'),
    source('awsElasticBlockStore', { volumeID: '' }, 'FieldValueRequired awsElasticBlockStore.volumeID'),
    source('nfs', { server: '', path: '/a' }, 'FieldValueRequired nfs.server'),
    source('nfs', { server: 'a', path: 'a' }, 'FieldValueInvalid nfs.path'),
    source('iscsi', { ...iscsi, initiatorName: 'iqn.2015-02.example.com:init' }),
    source('iscsi', { ...iscsi, targetPortal: '' }, 'FieldValueRequired iscsi.targetPortal'),
    source('iscsi', { ...iscsi, iqn: 'x' }, 'FieldValueInvalid iscsi.iqn'),
    source('iscsi', { ...iscsi, iqn: 'eui.x' }, 'FieldValueInvalid iscsi.iqn'),
    source('iscsi', { ...iscsi, lun: 256 }, 'FieldValueInvalid iscsi.lun'),
    source('iscsi', { ...iscsi, chapAuthSession: true }, 'FieldValueRequired iscsi.secretRef'),
    source('iscsi', { ...iscsi, initiatorName: 'x' }, 'FieldValueInvalid iscsi.initiatorname'),
    source('iscsi', longPortal, 'FieldValueInvalid name'),
    source('glusterfs', { endpoints: 'a', path: '' }, 'FieldValueRequired glusterfs.path'),
    source('flocker', {}, 'FieldValueRequired flocker'),
    source('flocker', { datasetName: 'a', datasetUUID: 'b' }, 'FieldValueInvalid flocker'),
    source('flocker', { datasetName: 'a/b' }, 'FieldValueInvalid flocker.datasetName'),
    source('rbd', { monitors: [], image: 'a' }, 'FieldValueRequired rbd.monitors'),
    source('rbd', { monitors: ['a'], image: '' }, 'FieldValueRequired rbd.image'),
    source('cinder', { volumeID: '' }, 'FieldValueRequired cinder.volumeID'),
    source('cinder', { volumeID: 'a', secretRef: {} }, 'FieldValueRequired cinder.secretRef.name'),
    source('cephfs', { monitors: [] }, 'FieldValueRequired cephfs.monitors'),
    source('quobyte', { registry: 'a:1,b:2', volume: 'v' }),
    source('quobyte', { registry: 'a', volume: 'v' }, 'FieldValueInvalid quobyte.registry'),
    source('quobyte', { registry: '', volume: 'v' }, 'FieldValueRequired quobyte.registry'),
    source('quobyte', { registry: 'a:1', volume: '' }, 'FieldValueRequired quobyte.volume'),
    source('quobyte', { registry: 'a:1', volume: 'v', tenant: 'a'.repeat(65) }, 'FieldValueRequired quobyte.tenant'),
    source('fc', { wwids: ['a'] }),
    source('fc', {}, 'FieldValueRequired fc.targetWWNs'),
    source('fc', { targetWWNs: ['a'] }, 'FieldValueRequired fc.lun'),
    source('fc', { targetWWNs: ['a'], lun: 256 }, 'FieldValueInvalid fc.lun'),
    source('fc', { targetWWNs: ['a'], lun, wwids: ['b'] }, 'FieldValueInvalid fc.targetWWNs'),
    source('flexVolume', { driver: '' }, 'FieldValueRequired flexVolume.driver'),
    source(
      'flexVolume',
      { driver: 'a', options: { 'x.k8s.io/a': '' } },
      'FieldValueInvalid flexVolume.options[x.k8s.io/a]',
    ),
    source('azureFile', { secretName: '', shareName: 'a' }, 'FieldValueRequired azureFile.secretName'),
    source('vsphereVolume', { volumePath: '' }, 'FieldValueRequired vsphereVolume.volumePath'),
    source('photonPersistentDisk', { pdID: '' }, 'FieldValueRequired photonPersistentDisk.pdID'),
    source('portworxVolume', { volumeID: '' }, 'FieldValueRequired portworxVolume.volumeID'),
    source('azureDisk', disk),
    source('azureDisk', { ...disk, kind: 'Managed' }, 'FieldValueNotSupported azureDisk.diskURI'),
    source('azureDisk', { ...disk, kind: 'x' }, 'FieldValueNotSupported azureDisk.kind'),
    source('azureDisk', { ...disk, cachingMode: 'x' }, 'FieldValueNotSupported azureDisk.cachingMode'),
    source('storageos', { volumeName: '' }, 'FieldValueRequired storageos.volumeName'),
    source('storageos', { volumeName: 'a', volumeNamespace: 'A' }, 'FieldValueInvalid storageos.volumeNamespace'),
    source(
      'scaleIO',
      { gateway: '', system: 'a', volumeName: 'b', secretRef: { name: 's' } },
      'FieldValueRequired scaleIO.gateway',
    ),
    source('csi', { driver: 'Example.com', nodePublishSecretRef: { name: 's' } }),
    source('csi', {}, 'FieldValueRequired csi.driver'),
    source('csi', { driver: 'a_b' }, 'FieldValueInvalid csi.driver'),
    source('csi', { driver: 'a'.repeat(64) }, 'FieldValueTooLong csi.driver'),
    source('csi', { driver: 'a', nodePublishSecretRef: {} }, 'FieldValueRequired csi.nodePublishSecretRef.name'),
  ]);
});

t.test('claims that come with the pod', async (t) => {
  const storage = { requests: { storage: '1Gi' } };
  const claim = (spec: object, metadata: object = {}) =>
    volume({
      ephemeral: {
        volumeClaimTemplate: { metadata, spec: { accessModes: ['ReadWriteOnce'], resources: storage, ...spec } },
      },
    });
  const e = `${v}.ephemeral.volumeClaimTemplate`;
  const snapshot = { apiGroup: 'snapshot.storage.k8s.io', kind: 'VolumeSnapshot', name: 's' };
  checkVerdicts(t, [
    ['a claim', claim({ dataSource: snapshot })],
    ['no template', volume({ ephemeral: {} }), [`FieldValueRequired ${e}`]],
    ['a name of its own', claim({}, { name: 'a' }), [`FieldValueForbidden ${e}.metadata.name`]],
    ['labels', claim({}, { labels: { 'a b': '' } }), [`FieldValueInvalid ${e}.metadata.labels`]],
    ['no access', claim({ accessModes: [] }), [`FieldValueRequired ${e}.spec.accessModes`]],
    ['unknown access', claim({ accessModes: ['x'] }), [`FieldValueNotSupported ${e}.spec.accessModes`]],
    [
      'for one pod and for many',
      claim({ accessModes: ['ReadWriteOncePod', 'ReadOnlyMany'] }),
      [`FieldValueForbidden ${e}.spec.accessModes`],
    ],
    ['no size', claim({ resources: {} }), [`FieldValueRequired ${e}.spec.resources[storage]`]],
    [
      'size 0',
      claim({ resources: { requests: { storage: '0' } } }),
      [`FieldValueInvalid ${e}.spec.resources[storage]`],
    ],
    ['a class', claim({ storageClassName: 'A' }), [`FieldValueInvalid ${e}.spec.storageClassName`]],
    ['a mode', claim({ volumeMode: 'x' }), [`FieldValueNotSupported ${e}.spec.volumeMode`]],
    [
      'a source without a name',
      claim({ dataSource: { ...snapshot, name: '' } }),
      [`FieldValueRequired ${e}.spec.dataSource.name`],
    ],
    [
      'a source of no group',
      claim({ dataSource: { kind: 'Pod', name: 'a' } }),
      [`FieldValueInvalid ${e}.spec.dataSource`],
    ],
    [
      'a source elsewhere and here',
      claim({ dataSource: snapshot, dataSourceRef: { ...snapshot, namespace: 'b' } }),
      [`FieldValueInvalid ${e}.spec`],
    ],
    [
      'a source elsewhere',
      claim({ dataSourceRef: { ...snapshot, namespace: 'B' } }),
      [`FieldValueInvalid ${e}.spec.dataSourceRef.namespace`],
    ],
    [
      'no kind of source',
      claim({ dataSource: { ...snapshot, kind: '' } }),
      [`FieldValueRequired ${e}.spec.dataSource.kind`],
    ],
    [
      'two sources',
      claim({ dataSource: snapshot, dataSourceRef: { ...snapshot, name: 'b' } }),
      [`FieldValueInvalid ${e}.spec`],
    ],
    [
      'a claim that another volume brings',
      {
        spec: {
          volumes: [
            {
              name: 'v',
              ephemeral: { volumeClaimTemplate: { spec: { accessModes: ['ReadWriteOnce'], resources: storage } } },
            },
            { name: 'w', persistentVolumeClaim: { claimName: 'web-v' } },
          ],
        },
      },
      ['FieldValueInvalid spec.volumes[1].persistentVolumeClaim.claimName'],
    ],
    [
      'a name too long for the claim',
      { ...claim({}), metadata: { name: 'a'.repeat(253) } },
      [`FieldValueInvalid ${v}.name`],
    ],
  ]);
});
