import { pauseImage } from '../../../scripts/images.ts';
import { hasCapSysResource } from './machine.ts';

export interface ContainerdPaths {
  readonly root: string;
  readonly state: string;
  readonly socket: string;
  readonly cniBinDir: string;
  readonly cniConfDir: string;
  readonly registryConfDir: string;
  readonly optDir: string;
  readonly runcRoot: string;
  /** Further handlers: what they are called, and the program of each. */
  readonly handlers: Readonly<Record<string, string>>;
  /** Classes of block I/O; containerd before 1.7 knows none. */
  readonly blockioConfig: string | undefined;
}

/**
 * The configuration file of a private containerd: nothing of it may be shared with the machine's own one.
 * containerd 2 moved the CRI settings to two other plugins.
 */
export function containerdConfig(majorVersion: number, paths: ContainerdPaths): string {
  return majorVersion >= 2 ? versionThree(paths) : versionTwo(paths);
}

function handlers(plugin: string, paths: ContainerdPaths): string {
  return Object.entries({ runc: undefined, ...paths.handlers })
    .map(
      ([name, program]) => `  [plugins."${plugin}".containerd.runtimes.${name}]
    runtime_type = "io.containerd.runc.v2"
    [plugins."${plugin}".containerd.runtimes.${name}.options]
      Root = "${paths.runcRoot}${name === 'runc' ? '' : `-${name}`}"
${program === undefined ? '' : `      BinaryName = "${program}"\n`}`,
    )
    .join('');
}

function common(version: number, paths: ContainerdPaths): string {
  return `version = ${version}
root = "${paths.root}"
state = "${paths.state}"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.blockfile", "io.containerd.snapshotter.v1.erofs",
  "io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp"]
[grpc]
  address = "${paths.socket}"
[plugins."io.containerd.internal.v1.opt"]
  path = "${paths.optDir}"
${paths.blockioConfig === undefined ? '' : blockio(paths.blockioConfig)}`;
}

function blockio(path: string): string {
  return `[plugins."io.containerd.service.v1.tasks-service"]
  blockio_config_file = "${path}"
`;
}

function versionTwo(paths: ContainerdPaths): string {
  return `${common(2, paths)}
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${pauseImage}"
  restrict_oom_score_adj = ${!hasCapSysResource()}
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${paths.cniBinDir}"
    conf_dir = "${paths.cniConfDir}"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "${paths.registryConfDir}"
${handlers('io.containerd.grpc.v1.cri', paths)}`;
}

function versionThree(paths: ContainerdPaths): string {
  return `${common(3, paths)}
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "${pauseImage}"
[plugins."io.containerd.cri.v1.images".registry]
  config_path = "${paths.registryConfDir}"
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = ${!hasCapSysResource()}
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["${paths.cniBinDir}"]
    conf_dir = "${paths.cniConfDir}"
${handlers('io.containerd.cri.v1.runtime', paths)}[plugins."io.containerd.nri.v1.nri"]
  disable = true
`;
}
