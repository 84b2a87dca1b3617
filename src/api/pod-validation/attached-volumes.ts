import { type ErrorSink, invalid, notSupported, required, tooLong } from '../field-error.ts';
import { checkDnsLabel, checkDnsSubdomain, isLongerThan, rangeMessage } from '../formats.ts';
import { addProblems } from '../meta-validation.ts';
import type { AzureDiskVolumeSource, FCVolumeSource, ISCSIVolumeSource, QuobyteVolumeSource } from '../pod.ts';
import type { SourceRule, VolumeSourceName } from './volumes.ts';

/** Volumes that are attached from elsewhere: network file systems, block devices, cloud disks, drivers. */

/** Longer iSCSI names are no names, and only serve to keep the patterns busy. */
const maxIscsiName = 1024;
const iscsiName = {
  iqn: /iqn\.\d{4}-\d{2}\.([A-Za-z0-9\-.]+)(:[^,;*&$|\s]+)$/,
  eui: /^eui.[A-Za-z0-9]{16}$/,
  naa: /^naa.[A-Za-z0-9]{32}$/,
};

export const attachedVolumeRules: Partial<Record<VolumeSourceName, SourceRule>> = {
  gcePersistentDisk: ({ gcePersistentDisk: disk }, path, errors) => {
    requireFields({ pdName: disk?.pdName }, path, errors);
    validateRange(disk?.partition ?? 0, 'partition', path, errors, [1, 255]);
  },
  awsElasticBlockStore: ({ awsElasticBlockStore: disk }, path, errors) => {
    requireFields({ volumeID: disk?.volumeID }, path, errors);
    validateRange(disk?.partition ?? 0, 'partition', path, errors, [1, 255]);
  },
  nfs: ({ nfs }, path, errors) => {
    requireFields({ server: nfs?.server, path: nfs?.path }, path, errors);
    if (!nfs?.path.startsWith('/')) errors.push(invalid(`${path}.path`, nfs?.path, 'must be an absolute path'));
  },
  iscsi: ({ iscsi }, path, errors) => {
    if (iscsi) validateIscsi(iscsi, path, errors);
  },
  glusterfs: ({ glusterfs }, path, errors) =>
    requireFields({ endpoints: glusterfs?.endpoints, path: glusterfs?.path }, path, errors),
  flocker: ({ flocker }, path, errors) => {
    const { datasetName = '', datasetUUID = '' } = flocker ?? {};
    if (datasetName === '' && datasetUUID === '') {
      errors.push(required(path, 'one of datasetName and datasetUUID is required'));
    } else if (datasetName !== '' && datasetUUID !== '') {
      errors.push(invalid(path, 'resource', 'datasetName and datasetUUID can not be specified simultaneously'));
    }
    if (datasetName.includes('/')) errors.push(invalid(`${path}.datasetName`, datasetName, "must not contain '/'"));
  },
  rbd: ({ rbd }, path, errors) => requireFields({ monitors: rbd?.monitors, image: rbd?.image }, path, errors),
  cinder: ({ cinder }, path, errors) => {
    requireFields({ volumeID: cinder?.volumeID }, path, errors);
    validateSecretRef(cinder?.secretRef, `${path}.secretRef`, errors);
  },
  cephfs: ({ cephfs }, path, errors) => requireFields({ monitors: cephfs?.monitors }, path, errors),
  quobyte: ({ quobyte }, path, errors) => {
    if (quobyte) validateQuobyte(quobyte, path, errors);
  },
  fc: ({ fc }, path, errors) => {
    if (fc) validateFibreChannel(fc, path, errors);
  },
  flexVolume: ({ flexVolume }, path, errors) => {
    requireFields({ driver: flexVolume?.driver }, path, errors);
    for (const key of Object.keys(flexVolume?.options ?? {})) {
      const namespace = `.${(key.split('/', 1)[0] ?? '').toLowerCase()}`;
      if (namespace.endsWith('.kubernetes.io') || namespace.endsWith('.k8s.io')) {
        const detail = 'kubernetes.io and k8s.io namespaces are reserved';
        errors.push(invalid(`${path}.options[${key}]`, key, detail));
      }
    }
  },
  azureFile: ({ azureFile }, path, errors) =>
    requireFields({ secretName: azureFile?.secretName, shareName: azureFile?.shareName }, path, errors),
  vsphereVolume: ({ vsphereVolume }, path, errors) =>
    requireFields({ volumePath: vsphereVolume?.volumePath }, path, errors),
  photonPersistentDisk: ({ photonPersistentDisk }, path, errors) =>
    requireFields({ pdID: photonPersistentDisk?.pdID }, path, errors),
  portworxVolume: ({ portworxVolume }, path, errors) =>
    requireFields({ volumeID: portworxVolume?.volumeID }, path, errors),
  azureDisk: ({ azureDisk }, path, errors) => {
    if (azureDisk) validateAzureDisk(azureDisk, path, errors);
  },
  storageos: ({ storageos }, path, errors) => {
    const { volumeName = '', volumeNamespace = '', secretRef } = storageos ?? {};
    if (volumeName === '') errors.push(required(`${path}.volumeName`));
    else addProblems(errors, `${path}.volumeName`, volumeName, checkDnsLabel(volumeName));
    if (volumeNamespace !== '') {
      addProblems(errors, `${path}.volumeNamespace`, volumeNamespace, checkDnsLabel(volumeNamespace));
    }
    validateSecretRef(secretRef, `${path}.secretRef`, errors);
  },
  scaleIO: ({ scaleIO }, path, errors) =>
    requireFields(
      { gateway: scaleIO?.gateway, system: scaleIO?.system, volumeName: scaleIO?.volumeName },
      path,
      errors,
    ),
  csi: ({ csi }, path, errors) => {
    const driver = csi?.driver ?? '';
    if (driver === '') errors.push(required(`${path}.driver`));
    else addProblems(errors, `${path}.driver`, driver, checkDnsSubdomain(driver.toLowerCase()));
    if (isLongerThan(driver, 63)) errors.push(tooLong(`${path}.driver`, 63));
    if (!csi?.nodePublishSecretRef) return;
    const name = csi.nodePublishSecretRef.name ?? '';
    if (name === '') errors.push(required(`${path}.nodePublishSecretRef.name`));
    else addProblems(errors, `${path}.name`, name, checkDnsSubdomain(name));
  },
};

function requireFields(
  fields: Readonly<Record<string, string | readonly string[] | undefined>>,
  path: string,
  errors: ErrorSink,
): void {
  for (const [name, value] of Object.entries(fields)) {
    if ((value ?? '').length === 0) errors.push(required(`${path}.${name}`));
  }
}

/** `shown` is the range of the message, where Kubernetes' message and rule differ. */
function validateRange(
  value: number,
  field: string,
  path: string,
  errors: ErrorSink,
  shown: readonly [number, number] = [0, 255],
): void {
  if (value < 0 || value > 255) errors.push(invalid(`${path}.${field}`, value, rangeMessage(...shown)));
}

function validateSecretRef(ref: { name?: string } | undefined, path: string, errors: ErrorSink): void {
  if (ref && !ref.name) errors.push(required(`${path}.name`));
}

function validateIscsi(iscsi: ISCSIVolumeSource, path: string, errors: ErrorSink): void {
  requireFields({ targetPortal: iscsi.targetPortal, iqn: iscsi.iqn }, path, errors);
  if (iscsi.iqn !== '') addProblems(errors, `${path}.iqn`, iscsi.iqn, checkIscsiName(iscsi.iqn));
  validateRange(iscsi.lun, 'lun', path, errors);
  if ((iscsi.chapAuthDiscovery || iscsi.chapAuthSession) && !iscsi.secretRef) {
    errors.push(required(`${path}.secretRef`));
  }
  const initiator = iscsi.initiatorName;
  // The path is spelled as Kubernetes spells it.
  if (initiator !== undefined) addProblems(errors, `${path}.initiatorname`, initiator, checkIscsiName(initiator));
}

function checkIscsiName(name: string): string[] {
  const kind = (['iqn', 'eui', 'naa'] as const).find((prefix) => name.startsWith(prefix));
  if (kind === undefined) return ['must be valid format starting with iqn, eui, or naa'];
  return name.length <= maxIscsiName && iscsiName[kind].test(name) ? [] : ['must be valid format'];
}

function validateFibreChannel(fc: FCVolumeSource, path: string, errors: ErrorSink): void {
  const { targetWWNs = [], wwids = [], lun } = fc;
  if (targetWWNs.length === 0 && wwids.length === 0) {
    errors.push(required(`${path}.targetWWNs`, 'must specify either targetWWNs or wwids, but not both'));
  }
  if (targetWWNs.length === 0) return;
  if (wwids.length > 0) {
    const detail = 'targetWWNs and wwids can not be specified simultaneously';
    errors.push(invalid(`${path}.targetWWNs`, targetWWNs, detail));
  }
  if (lun === undefined) errors.push(required(`${path}.lun`, 'lun is required if targetWWNs is specified'));
  else validateRange(lun, 'lun', path, errors);
}

function validateQuobyte(quobyte: QuobyteVolumeSource, path: string, errors: ErrorSink): void {
  const pairs = 'must be a host:port pair or multiple pairs separated by commas';
  if (quobyte.registry === '') errors.push(required(`${path}.registry`, pairs));
  else if (isLongerThan(quobyte.tenant ?? '', 64)) {
    const detail = 'must be a UUID and may not exceed a length of 64 characters';
    errors.push(required(`${path}.tenant`, detail));
  } else {
    for (const pair of quobyte.registry.split(',')) {
      if (!/^([^:[\]]*|\[[^[\]]*\]):[^:[\]]*$/.test(pair)) {
        errors.push(invalid(`${path}.registry`, quobyte.registry, pairs));
      }
    }
  }
  if (quobyte.volume === '') errors.push(required(`${path}.volume`));
}

function validateAzureDisk(disk: AzureDiskVolumeSource, path: string, errors: ErrorSink): void {
  requireFields({ diskName: disk.diskName, diskURI: disk.diskURI }, path, errors);
  const cachingModes = ['None', 'ReadOnly', 'ReadWrite'];
  if (disk.cachingMode !== undefined && !cachingModes.includes(disk.cachingMode)) {
    errors.push(notSupported(`${path}.cachingMode`, disk.cachingMode, cachingModes));
  }
  if (disk.kind === undefined) return;
  const kinds = ['Dedicated', 'Managed', 'Shared'];
  if (!kinds.includes(disk.kind)) errors.push(notSupported(`${path}.kind`, disk.kind, kinds));
  const [prefix, example] =
    disk.kind === 'Managed'
      ? [
          '/subscriptions/',
          '/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}',
        ]
      : ['https://', 'https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd'];
  if (!disk.diskURI.startsWith(prefix)) errors.push(notSupported(`${path}.diskURI`, disk.diskURI, [example]));
}
