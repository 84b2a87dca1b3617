import { about, atomicList, bool, coreObject, int64, oneOf, opt, ptr, str } from '../schema.ts';

/** Who a container runs as and what it may do. */

export const CapabilitiesSchema = coreObject('Capabilities', {
  add: opt(atomicList(str(), 'Beyond those that the runtime gives.')),
  drop: opt(atomicList(str(), 'Of those that the runtime gives; ALL for all.')),
});

export const SELinuxOptionsSchema = coreObject('SELinuxOptions', {
  user: opt(str('User of the label.')),
  role: opt(str('Role of the label.')),
  type: opt(str('Type of the label.')),
  level: opt(str('Level of the label.')),
});

export const WindowsSecurityContextOptionsSchema = coreObject('WindowsSecurityContextOptions', {
  gmsaCredentialSpecName: ptr(str()),
  gmsaCredentialSpec: ptr(str()),
  runAsUserName: ptr(str()),
  hostProcess: ptr(bool()),
});

export const SeccompProfileSchema = coreObject('SeccompProfile', {
  type: oneOf(['Unconfined', 'RuntimeDefault', 'Localhost'], 'RuntimeDefault, Localhost or Unconfined.'),
  localhostProfile: ptr(str("A file below the node's directory of profiles, for Localhost.")),
});

export const AppArmorProfileSchema = coreObject('AppArmorProfile', {
  type: oneOf(['Unconfined', 'RuntimeDefault', 'Localhost'], 'RuntimeDefault, Localhost or Unconfined.'),
  localhostProfile: ptr(str('Name of a profile that the node has loaded, for Localhost.')),
});

export const SecurityContextSchema = coreObject('SecurityContext', {
  capabilities: opt(about(CapabilitiesSchema, "Capabilities added to and dropped from the runtime's default set.")),
  privileged: ptr(bool('Run as root of the host in effect.')),
  seLinuxOptions: opt(about(SELinuxOptionsSchema, 'SELinux label.')),
  windowsOptions: opt(about(WindowsSecurityContextOptionsSchema, 'Settings for Windows.')),
  runAsUser: ptr(int64('User id. Default: that of the image.')),
  runAsGroup: ptr(int64('Group id. Default: that of the runtime.')),
  runAsNonRoot: ptr(bool('Refuse to run as user 0.')),
  readOnlyRootFilesystem: ptr(bool('Mount the root file system read-only.')),
  allowPrivilegeEscalation: ptr(bool('False sets no_new_privs.')),
  procMount: ptr(oneOf(['Default', 'Unmasked'], 'Whether parts of /proc are masked. Default: Default.')),
  seccompProfile: opt(about(SeccompProfileSchema, 'Filter of system calls.')),
  appArmorProfile: opt(about(AppArmorProfileSchema, 'AppArmor profile.')),
});

export const SysctlSchema = coreObject('Sysctl', {
  name: str('As kernel.shm_rmid_forced.'),
  value: str('What it is set to.'),
});

export const PodSecurityContextSchema = coreObject('PodSecurityContext', {
  seLinuxOptions: opt(about(SELinuxOptionsSchema, 'SELinux label.')),
  windowsOptions: opt(about(WindowsSecurityContextOptionsSchema, 'Settings for Windows.')),
  runAsUser: ptr(int64('User id. Default: that of the image.')),
  runAsGroup: ptr(int64('Group id. Default: that of the runtime.')),
  runAsNonRoot: ptr(bool('Refuse to run as user 0.')),
  supplementalGroups: opt(atomicList(int64(), 'Further group ids of the first process of each container.')),
  supplementalGroupsPolicy: ptr(oneOf(['Merge', 'Strict'], "Merge: also the image's groups. Strict: these only.")),
  fsGroup: ptr(int64("Group id that owns the pod's volumes.")),
  sysctls: opt(atomicList(SysctlSchema, "Kernel parameters of the pod's namespaces.")),
  fsGroupChangePolicy: ptr(oneOf(['OnRootMismatch', 'Always'], 'Always, or OnRootMismatch.')),
  seccompProfile: opt(about(SeccompProfileSchema, 'Filter of system calls.')),
  appArmorProfile: opt(about(AppArmorProfileSchema, 'AppArmor profile.')),
  seLinuxChangePolicy: ptr(oneOf(['Recursive', 'MountOption'], 'How volumes get their label.')),
});
