import { duplicate, type ErrorSink, forbidden, invalid, notSupported, required } from '../field-error.ts';
import { checkDnsLabel, checkDnsSubdomain } from '../formats.ts';
import { addProblems } from '../meta-validation.ts';
import type {
  DownwardAPIVolumeFile,
  ImageVolumeSource,
  KeyToPath,
  Pod,
  ProjectedVolumeSource,
  Volume,
  VolumeProjection,
} from '../pod.ts';
import { parseQuantity } from '../quantity.ts';
import { attachedVolumeRules } from './attached-volumes.ts';
import { validateChoice } from './choice.ts';
import { validateClaimTemplate } from './claims.ts';
import { validateFieldRef, validateResourceFieldRef } from './env.ts';
import { validateLocalDescendingPath, validateLocalNonReservedPath, validateNoBacksteps } from './paths.ts';

/** The volumes of a pod. Some field paths lack the index, as they do in Kubernetes. */

export type VolumeSourceName = Exclude<keyof Volume, 'name'>;

/** Checks one source of a volume. */
export type SourceRule = (volume: Volume, path: string, errors: ErrorSink) => void;

const hostPathTypes = [
  '',
  'BlockDevice',
  'CharDevice',
  'Directory',
  'DirectoryOrCreate',
  'File',
  'FileOrCreate',
  'Socket',
];
const volumeFieldPaths = [
  'metadata.annotations',
  'metadata.labels',
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
];
const modeMessage = 'must be a number between 0 and 0777 (octal), both inclusive';
const oneSource = 'may not specify more than 1 volume type';

/** In the order in which Kubernetes looks: the first source of a volume is checked, any other is one too many. */
const sourceRules: Partial<Record<VolumeSourceName, SourceRule>> = {
  emptyDir: ({ emptyDir }, path, errors) => {
    const limit = emptyDir?.sizeLimit;
    if (limit !== undefined && parseQuantity(limit).nanos < 0n) {
      errors.push(forbidden(`${path}.sizeLimit`, 'SizeLimit field must be a valid resource quantity'));
    }
  },
  hostPath: ({ hostPath }, path, errors) => {
    if (!hostPath?.path) return void errors.push(required(`${path}.path`));
    validateNoBacksteps(hostPath.path, `${path}.path`, errors);
    const type: string = hostPath.type ?? '';
    if (!hostPathTypes.includes(type)) errors.push(notSupported(`${path}.type`, type, hostPathTypes));
  },
  gitRepo: ({ gitRepo }, path, errors) => {
    if (!gitRepo?.repository) errors.push(required(`${path}.repository`));
    validateLocalDescendingPath(gitRepo?.directory ?? '', `${path}.directory`, errors);
  },
  secret: ({ secret }, path, errors) => {
    if (!secret?.secretName) errors.push(required(`${path}.secretName`));
    validateMode(secret?.defaultMode, `${path}.defaultMode`, errors);
    validateItems(secret?.items ?? [], `${path}.items`, errors);
  },
  configMap: ({ configMap }, path, errors) => {
    if (!configMap?.name) errors.push(required(`${path}.name`));
    validateMode(configMap?.defaultMode, `${path}.defaultMode`, errors);
    validateItems(configMap?.items ?? [], `${path}.items`, errors);
  },
  persistentVolumeClaim: ({ persistentVolumeClaim }, path, errors) => {
    if (!persistentVolumeClaim?.claimName) errors.push(required(`${path}.claimName`));
  },
  downwardAPI: ({ downwardAPI }, path, errors) => {
    validateMode(downwardAPI?.defaultMode, `${path}.defaultMode`, errors);
    for (const file of downwardAPI?.items ?? []) validateDownwardFile(file, path, errors);
  },
  projected: ({ projected }, path, errors) => {
    if (projected) validateProjected(projected, path, errors);
  },
  ephemeral: ({ ephemeral }, path, errors) => {
    const template = ephemeral?.volumeClaimTemplate;
    if (!template) errors.push(required(`${path}.volumeClaimTemplate`));
    else validateClaimTemplate(template, `${path}.volumeClaimTemplate`, errors);
  },
  image: ({ image }, path, errors) => {
    if (image) validateImage(image, path, errors);
  },
  ...attachedVolumeRules,
};

/** The names that a second source is reported under, where Kubernetes spells them differently. */
const secondSourceNames: Partial<Record<string, string>> = { cephfs: 'cephFS', downwardAPI: 'downwarAPI' };
const sourcePathNames: Partial<Record<string, string>> = { gcePersistentDisk: 'persistentDisk' };

/** Returns the volumes that are valid: only those can be mounted. */
export function validateVolumes(pod: Pod, path: string, errors: ErrorSink): Map<string, Volume> {
  const volumes = pod.spec.volumes ?? [];
  const podName = pod.metadata.name ?? '';
  const ownClaims = new Set(
    volumes.filter((volume) => podName !== '' && volume.ephemeral).map((volume) => `${podName}-${volume.name}`),
  );
  const valid = new Map<string, Volume>();
  for (const [index, volume] of volumes.entries()) {
    const at = `${path}[${index}]`;
    let problems = 0;
    const counted: ErrorSink = {
      push: (error) => {
        problems++;
        errors.push(error);
      },
    };
    validateSource(volume, podName, at, counted);
    if (volume.name === '') counted.push(required(`${at}.name`));
    else addProblems(counted, `${at}.name`, volume.name, checkDnsLabel(volume.name));
    if (valid.has(volume.name)) counted.push(duplicate(`${at}.name`, volume.name));
    if (problems === 0) valid.set(volume.name, volume);

    const claim = volume.persistentVolumeClaim?.claimName;
    if (claim !== undefined && ownClaims.has(claim)) {
      const detail = 'must not reference a PVC that gets created for an ephemeral volume';
      errors.push(invalid(`${at}.persistentVolumeClaim.claimName`, claim, detail));
    }
  }
  return valid;
}

function validateSource(volume: Volume, podName: string, path: string, errors: ErrorSink): void {
  const given = sourceOrder.filter((name) => volume[name] !== undefined);
  const [first, ...others] = given;
  if (first === undefined) errors.push(required(path, 'must specify a volume type'));
  else sourceRules[first]?.(volume, `${path}.${sourcePathNames[first] ?? first}`, errors);
  for (const name of others) errors.push(forbidden(`${path}.${secondSourceNames[name] ?? name}`, oneSource));

  const { iscsi } = volume;
  if (iscsi?.initiatorName !== undefined && `${volume.name}:${iscsi.targetPortal}`.length > 64) {
    const what = 'Total length of <volume name>:<iscsi.targetPortal>';
    const detail = `${what} must be under 64 characters if iscsi.initiatorName is specified.`;
    errors.push(invalid(`${path}.name`, volume.name, detail));
  }
  if (first === 'ephemeral' && podName !== '' && volume.name !== '') {
    const claim = `${podName}-${volume.name}`;
    const problems = checkDnsSubdomain(claim).map((problem) => `PVC name ${JSON.stringify(claim)}: ${problem}`);
    addProblems(errors, `${path}.name`, volume.name, problems);
  }
}

const sourceOrder: readonly VolumeSourceName[] = [
  'emptyDir',
  'hostPath',
  'gitRepo',
  'gcePersistentDisk',
  'awsElasticBlockStore',
  'secret',
  'nfs',
  'iscsi',
  'glusterfs',
  'flocker',
  'persistentVolumeClaim',
  'rbd',
  'cinder',
  'cephfs',
  'quobyte',
  'downwardAPI',
  'fc',
  'flexVolume',
  'configMap',
  'azureFile',
  'vsphereVolume',
  'photonPersistentDisk',
  'portworxVolume',
  'azureDisk',
  'storageos',
  'projected',
  'scaleIO',
  'csi',
  'ephemeral',
  'image',
];

function validateMode(mode: number | undefined, path: string, errors: ErrorSink): void {
  if (mode !== undefined && (mode < 0 || mode > 0o777)) errors.push(invalid(path, mode, modeMessage));
}

function validateItems(items: readonly KeyToPath[], path: string, errors: ErrorSink): void {
  for (const [index, item] of items.entries()) {
    const at = `${path}[${index}]`;
    if (item.key === '') errors.push(required(`${at}.key`));
    if (item.path === '') errors.push(required(`${at}.path`));
    validateLocalNonReservedPath(item.path, `${at}.path`, errors);
    validateMode(item.mode, `${at}.mode`, errors);
  }
}

function validateDownwardFile(file: DownwardAPIVolumeFile, path: string, errors: ErrorSink): void {
  if (file.path === '') errors.push(required(`${path}.path`));
  validateLocalNonReservedPath(file.path, `${path}.path`, errors);
  if (file.fieldRef) {
    validateFieldRef(file.fieldRef, volumeFieldPaths, `${path}.fieldRef`, errors);
    if (file.resourceFieldRef) {
      const detail = 'fieldRef and resourceFieldRef can not be specified simultaneously';
      errors.push(invalid(path, 'resource', detail));
    }
  } else if (file.resourceFieldRef) {
    validateResourceFieldRef(file.resourceFieldRef, 'volume', `${path}.resourceFieldRef`, errors);
  } else errors.push(required(path, 'one of fieldRef and resourceFieldRef is required'));
  validateMode(file.mode, `${path}.mode`, errors);
}

function validateImage(image: ImageVolumeSource, path: string, errors: ErrorSink): void {
  if (!image.reference) errors.push(required(`${path}.reference`));
  validateChoice(image.pullPolicy, ['Always', 'IfNotPresent', 'Never'], `${path}.pullPolicy`, errors);
}

function validateProjected(projected: ProjectedVolumeSource, path: string, errors: ErrorSink): void {
  validateMode(projected.defaultMode, `${path}.defaultMode`, errors);
  const files = new Set<string>();
  const addFile = (file: string, shown: string) => {
    if (file === '') return;
    if (files.has(file)) errors.push(invalid(path, shown, 'conflicting duplicate paths'));
    files.add(file);
  };
  for (const [index, source] of projected.sources.entries()) {
    validateProjection(source, path, `${path}.sources[${index}]`, addFile, errors);
  }
}

function validateProjection(
  source: VolumeProjection,
  volumePath: string,
  path: string,
  addFile: (file: string, shown: string) => void,
  errors: ErrorSink,
): void {
  let sources = 0;
  for (const kind of ['secret', 'configMap'] as const) {
    const from = source[kind];
    if (!from) continue;
    sources++;
    if (!from.name) errors.push(required(`${path}.${kind}.name`));
    validateItems(from.items ?? [], `${path}.${kind}.items`, errors);
    for (const item of from.items ?? []) addFile(item.path, from.name ?? '');
  }
  if (source.downwardAPI) {
    sources++;
    for (const file of source.downwardAPI.items ?? []) {
      validateDownwardFile(file, `${path}.downwardAPI`, errors);
      addFile(file.path, file.path);
    }
  }
  if (source.serviceAccountToken) {
    sources++;
    const { expirationSeconds = 0, path: file } = source.serviceAccountToken;
    const at = `${path}.serviceAccountToken.expirationSeconds`;
    if (expirationSeconds < 600) {
      errors.push(invalid(at, expirationSeconds, 'may not specify a duration less than 10 minutes'));
    } else if (expirationSeconds > 2 ** 32) {
      errors.push(invalid(at, expirationSeconds, 'may not specify a duration larger than 2^32 seconds'));
    }
    if (file === '') errors.push(required(`${volumePath}.path`));
    else validateLocalNonReservedPath(file, `${volumePath}.path`, errors);
  }
  // clusterTrustBundle and podCertificate need gates that are off in 1.36: Kubernetes does not look at them.
  if (sources > 1) errors.push(forbidden(path, 'may not specify more than 1 volume type per source'));
}
