import { about, atomicList, bool, coreObject, int32, list, oneOf, opt, ptr, str, withDefault } from '../schema.ts';
import { LifecycleSchema, ProbeSchema } from './probe.ts';
import {
  ConfigMapKeySelectorSchema,
  FileKeySelectorSchema,
  ObjectFieldSelectorSchema,
  ResourceFieldSelectorSchema,
  SecretKeySelectorSchema,
} from './references.ts';
import { ContainerResizePolicySchema, ResourceRequirementsSchema } from './resources.ts';
import { SecurityContextSchema } from './security-context.ts';

/** Containers of a pod: application, init and ephemeral. */

export const ContainerPortSchema = coreObject('ContainerPort', {
  name: opt(str('Name of the port, unique in the pod.')),
  hostPort: opt(int32('Port of the host that leads to this port.')),
  containerPort: int32('Port number in the pod.'),
  protocol: opt(withDefault(oneOf(['TCP', 'UDP', 'SCTP'], 'Default: TCP.'), 'TCP')),
  hostIP: opt(str('Address of the host that hostPort is bound to.')),
});

export const ConfigMapEnvSourceSchema = coreObject('ConfigMapEnvSource', {
  name: opt(str('Name of the ConfigMap.')),
  optional: ptr(bool('Whether it may be missing.')),
});

export const SecretEnvSourceSchema = coreObject('SecretEnvSource', {
  name: opt(str('Name of the Secret.')),
  optional: ptr(bool('Whether it may be missing.')),
});

export const EnvFromSourceSchema = coreObject('EnvFromSource', {
  prefix: opt(str('Put before every name.')),
  configMapRef: opt(ConfigMapEnvSourceSchema),
  secretRef: opt(SecretEnvSourceSchema),
});

export const EnvVarSourceSchema = coreObject('EnvVarSource', {
  fieldRef: opt(about(ObjectFieldSelectorSchema, 'A field of the pod.')),
  resourceFieldRef: opt(about(ResourceFieldSelectorSchema, 'A request or limit of a container.')),
  configMapKeyRef: opt(about(ConfigMapKeySelectorSchema, 'A key of a ConfigMap.')),
  secretKeyRef: opt(about(SecretKeySelectorSchema, 'A key of a Secret.')),
  fileKeyRef: opt(about(FileKeySelectorSchema, 'A key of an environment file in a volume.')),
});

export const EnvVarSchema = coreObject('EnvVar', {
  name: str('Name of the variable.'),
  value: opt(str('Value. $(NAME) is expanded from variables defined before.')),
  valueFrom: opt(about(EnvVarSourceSchema, 'Where the value is taken from instead.')),
});

export const ContainerRestartRuleOnExitCodesSchema = coreObject('ContainerRestartRuleOnExitCodes', {
  operator: opt(oneOf(['In', 'NotIn'], 'In or NotIn.')),
  values: opt(list(int32(), { type: 'set' }, 'The exit codes.')),
});

export const ContainerRestartRuleSchema = coreObject('ContainerRestartRule', {
  action: opt(oneOf(['Restart', 'RestartAllContainers'], 'Restart or RestartAllContainers.')),
  exitCodes: opt(ContainerRestartRuleOnExitCodesSchema),
});

export const VolumeMountSchema = coreObject('VolumeMount', {
  name: str('Name of a volume of the pod.'),
  readOnly: opt(bool('Mount read-only.')),
  recursiveReadOnly: ptr(
    oneOf(['Disabled', 'IfPossible', 'Enabled'], 'Whether mounts below a read-only mount are read-only too.'),
  ),
  mountPath: str('Path in the container.'),
  subPath: opt(str('Path in the volume that is mounted instead of its root.')),
  mountPropagation: ptr(
    oneOf(
      ['None', 'HostToContainer', 'Bidirectional'],
      'Whether mounts made on one side appear on the other. Default: None.',
    ),
  ),
  subPathExpr: opt(str('As subPath, with $(NAME) expanded from the environment.')),
});

export const VolumeDeviceSchema = coreObject('VolumeDevice', {
  name: str(),
  devicePath: str(),
});

export const ContainerSchema = coreObject(
  'Container',
  {
    name: str('Name of the container, unique in the pod: a DNS label.'),
    image: opt(str('Image to run.')),
    command: opt(
      atomicList(
        str(),
        'Replaces the entry point of the image. $(NAME) is expanded from the environment, $$ is a dollar.',
      ),
    ),
    args: opt(
      atomicList(str(), 'Arguments of the entry point. $(NAME) is expanded from the environment, $$ is a dollar.'),
    ),
    workingDir: opt(str('Working directory. Default: that of the image.')),
    ports: opt(
      list(
        ContainerPortSchema,
        { type: 'map', keys: ['containerPort', 'protocol'], patchMergeKey: 'containerPort', patchStrategy: 'merge' },
        'Ports that the container listens on.',
      ),
    ),
    envFrom: opt(atomicList(EnvFromSourceSchema, 'Environment variables taken from whole ConfigMaps and Secrets.')),
    env: opt(
      list(
        EnvVarSchema,
        { type: 'map', keys: ['name'], patchMergeKey: 'name', patchStrategy: 'merge' },
        'Environment variables.',
      ),
    ),
    resources: opt(about(ResourceRequirementsSchema, 'Requests and limits of the container.')),
    resizePolicy: opt(
      atomicList(ContainerResizePolicySchema, 'Which resources can change without a restart of the container.'),
    ),
    restartPolicy: ptr(
      oneOf(
        ['Always', 'OnFailure', 'Never'],
        'Restart policy of this container alone. Always on an init container makes it a sidecar.',
      ),
    ),
    restartPolicyRules: opt(atomicList(ContainerRestartRuleSchema, 'What happens at which exit codes.')),
    volumeMounts: opt(
      list(
        VolumeMountSchema,
        { type: 'map', keys: ['mountPath'], patchMergeKey: 'mountPath', patchStrategy: 'merge' },
        'Volumes mounted into the file system of the container.',
      ),
    ),
    volumeDevices: opt(
      list(
        VolumeDeviceSchema,
        { type: 'map', keys: ['devicePath'], patchMergeKey: 'devicePath', patchStrategy: 'merge' },
        'Block devices given to the container.',
      ),
    ),
    livenessProbe: opt(about(ProbeSchema, 'The container is restarted when this fails.')),
    readinessProbe: opt(about(ProbeSchema, 'The container is ready when this succeeds.')),
    startupProbe: opt(about(ProbeSchema, 'The other probes wait for this one.')),
    lifecycle: opt(about(LifecycleSchema, 'Actions after start and before stop.')),
    terminationMessagePath: opt(
      str('File from which the message of a terminated container is read. Default: /dev/termination-log.'),
    ),
    terminationMessagePolicy: opt(
      oneOf(
        ['File', 'FallbackToLogsOnError'],
        'Whether the end of the log stands in for an empty message of a failed container. Default: File.',
      ),
    ),
    imagePullPolicy: opt(
      oneOf(
        ['Always', 'Never', 'IfNotPresent'],
        'When the image is pulled. Default: Always for the tag latest, otherwise IfNotPresent.',
      ),
    ),
    securityContext: opt(about(SecurityContextSchema, 'Security settings of the container.')),
    stdin: opt(bool('Keep standard input open.')),
    stdinOnce: opt(bool('Close standard input after the first attached client leaves.')),
    tty: opt(bool('Give the container a terminal.')),
  },
  { description: 'A container of a pod.' },
);

export const EphemeralContainerSchema = coreObject('EphemeralContainer', {
  name: str('Name of the container, unique in the pod: a DNS label.'),
  image: opt(str('Image to run.')),
  command: opt(
    atomicList(
      str(),
      'Replaces the entry point of the image. $(NAME) is expanded from the environment, $$ is a dollar.',
    ),
  ),
  args: opt(
    atomicList(str(), 'Arguments of the entry point. $(NAME) is expanded from the environment, $$ is a dollar.'),
  ),
  workingDir: opt(str('Working directory. Default: that of the image.')),
  ports: opt(
    list(
      ContainerPortSchema,
      { type: 'map', keys: ['containerPort', 'protocol'], patchMergeKey: 'containerPort', patchStrategy: 'merge' },
      'Ports that the container listens on.',
    ),
  ),
  envFrom: opt(atomicList(EnvFromSourceSchema, 'Environment variables taken from whole ConfigMaps and Secrets.')),
  env: opt(
    list(
      EnvVarSchema,
      { type: 'map', keys: ['name'], patchMergeKey: 'name', patchStrategy: 'merge' },
      'Environment variables.',
    ),
  ),
  resources: opt(about(ResourceRequirementsSchema, 'Requests and limits of the container.')),
  resizePolicy: opt(
    atomicList(ContainerResizePolicySchema, 'Which resources can change without a restart of the container.'),
  ),
  restartPolicy: ptr(
    oneOf(
      ['Always', 'OnFailure', 'Never'],
      'Restart policy of this container alone. Always on an init container makes it a sidecar.',
    ),
  ),
  restartPolicyRules: opt(atomicList(ContainerRestartRuleSchema, 'What happens at which exit codes.')),
  volumeMounts: opt(
    list(
      VolumeMountSchema,
      { type: 'map', keys: ['mountPath'], patchMergeKey: 'mountPath', patchStrategy: 'merge' },
      'Volumes mounted into the file system of the container.',
    ),
  ),
  volumeDevices: opt(
    list(
      VolumeDeviceSchema,
      { type: 'map', keys: ['devicePath'], patchMergeKey: 'devicePath', patchStrategy: 'merge' },
      'Block devices given to the container.',
    ),
  ),
  livenessProbe: opt(about(ProbeSchema, 'The container is restarted when this fails.')),
  readinessProbe: opt(about(ProbeSchema, 'The container is ready when this succeeds.')),
  startupProbe: opt(about(ProbeSchema, 'The other probes wait for this one.')),
  lifecycle: opt(about(LifecycleSchema, 'Actions after start and before stop.')),
  terminationMessagePath: opt(
    str('File from which the message of a terminated container is read. Default: /dev/termination-log.'),
  ),
  terminationMessagePolicy: opt(
    oneOf(
      ['File', 'FallbackToLogsOnError'],
      'Whether the end of the log stands in for an empty message of a failed container. Default: File.',
    ),
  ),
  imagePullPolicy: opt(
    oneOf(
      ['Always', 'Never', 'IfNotPresent'],
      'When the image is pulled. Default: Always for the tag latest, otherwise IfNotPresent.',
    ),
  ),
  securityContext: opt(about(SecurityContextSchema, 'Security settings of the container.')),
  stdin: opt(bool('Keep standard input open.')),
  stdinOnce: opt(bool('Close standard input after the first attached client leaves.')),
  tty: opt(bool('Give the container a terminal.')),
  targetContainerName: opt(str('The container whose process namespace is joined.')),
});
