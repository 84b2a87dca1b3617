import t from 'tap';
import type { Container, Pod, VolumeMount } from '../../../src/api/pod.ts';
import { containerMounts, type MountedVolumes } from '../../../src/volumes/container-mounts.ts';

const pod: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', namespace: 'n', uid: 'u' },
  spec: { containers: [] },
};
const volumes: MountedVolumes = new Map([
  ['data', { hostPath: '/pods/u/volumes/data', isManaged: true }],
  ['host', { hostPath: '/srv', isManaged: false }],
  ['sealed', { hostPath: '/pods/u/volumes/sealed', isManaged: true, readOnly: true }],
]);
const facts = { hostsFile: '/pods/u/etc-hosts', terminationLog: '/pods/u/containers/c/00000000' };
const container = (volumeMounts: VolumeMount[], rest: Partial<Container> = {}): Container => ({
  name: 'c',
  terminationMessagePath: '/dev/termination-log',
  volumeMounts,
  ...rest,
});
const mountsOf = (volumeMounts: VolumeMount[], more = {}) =>
  containerMounts(pod, container(volumeMounts), volumes, { ...facts, ...more });
const only = (mount: Partial<VolumeMount>, more = {}) =>
  mountsOf([{ name: 'data', mountPath: '/m', ...mount }], more).find(({ containerPath }) => containerPath === '/m');

t.test('a container without volumes gets the hosts file and the termination message file', async (t) => {
  const own = { readonly: false, propagation: 'PRIVATE', selinuxRelabel: true, recursiveReadOnly: false };
  t.strictSame(mountsOf([]), [
    { containerPath: '/etc/hosts', hostPath: '/pods/u/etc-hosts', ...own },
    { containerPath: '/dev/termination-log', hostPath: '/pods/u/containers/c/00000000', ...own },
  ]);
  t.strictSame(containerMounts(pod, container([]), volumes, {}), []);
});

t.test('a volume is mounted from where it lies, and only what the daemon made is relabelled', async (t) => {
  t.strictSame(only({}), {
    containerPath: '/m',
    hostPath: '/pods/u/volumes/data',
    readonly: false,
    propagation: 'PRIVATE',
    selinuxRelabel: true,
    recursiveReadOnly: false,
  });
  t.match(only({ name: 'host' }), { hostPath: '/srv', selinuxRelabel: false });
});

t.test('read-only by the mount or by the source', async (t) => {
  t.equal(only({ readOnly: true })?.readonly, true);
  t.equal(only({ name: 'sealed' })?.readonly, true);
  t.equal(only({ name: 'sealed', readOnly: false })?.readonly, true);
});

t.test('propagation', async (t) => {
  t.equal(only({ mountPropagation: 'None' })?.propagation, 'PRIVATE');
  t.equal(only({ mountPropagation: 'HostToContainer' })?.propagation, 'HOST_TO_CONTAINER');
  t.equal(only({ mountPropagation: 'Bidirectional' })?.propagation, 'BIDIRECTIONAL');
});

t.test('recursive read-only', async (t) => {
  const supported = { recursiveReadOnlySupported: true };
  const enabled: Partial<VolumeMount> = { readOnly: true, recursiveReadOnly: 'Enabled' };
  t.equal(only(enabled, supported)?.recursiveReadOnly, true);
  t.throws(() => only(enabled), { name: 'ContainerMountError', reason: 'RROUnsupported' });
  t.equal(only({ readOnly: true, recursiveReadOnly: 'IfPossible' }, supported)?.recursiveReadOnly, true);
  t.equal(only({ readOnly: true, recursiveReadOnly: 'IfPossible' })?.recursiveReadOnly, false);
  t.equal(only({ readOnly: true, recursiveReadOnly: 'Disabled' }, supported)?.recursiveReadOnly, false);
  t.equal(only({ readOnly: true }, supported)?.recursiveReadOnly, false);
});

t.test('a mount comes after those that it lies in; otherwise the order is that of the manifest', async (t) => {
  const paths = ['/a/b/c', 'z', '/a/', '//a//b', '/y'];
  const mounts = containerMounts(pod, container(paths.map((mountPath) => ({ name: 'data', mountPath }))), volumes, {});
  t.strictSame(
    mounts.map((mount) => mount.containerPath),
    ['/z', '/a/', '/y', '//a//b', '/a/b/c'],
  );
});

t.test('a container that mounts /etc/hosts itself keeps it, however it writes the path', async (t) => {
  for (const mountPath of ['/etc/hosts', 'etc/hosts', '/etc//hosts/', '/etc/./hosts']) {
    const sources = mountsOf([{ name: 'host', mountPath }]).map((mount) => mount.hostPath);
    t.strictSame(sources.sort(), ['/pods/u/containers/c/00000000', '/srv'], mountPath);
  }
  t.equal(mountsOf([{ name: 'host', mountPath: '/etc' }]).length, 3);
});

t.test('the termination message goes where the manifest says, or nowhere', async (t) => {
  const at = (terminationMessagePath: string) =>
    containerMounts(pod, container([], { terminationMessagePath }), volumes, facts).map((mount) => mount.containerPath);
  t.strictSame(at('/tmp/last-words'), ['/etc/hosts', '/tmp/last-words']);
  t.strictSame(at('last-words'), ['/last-words', '/etc/hosts']);
  t.strictSame(at(''), ['/etc/hosts']);
});

t.test('what cannot be mounted as asked is refused, never left out', async (t) => {
  const refused = { name: 'ContainerMountError', reason: 'CreateContainerConfigError' };
  t.throws(() => only({ name: 'unknown' }), refused);
  t.throws(() => only({ subPath: 'a' }), refused);
  t.throws(() => only({ subPathExpr: '$(A)' }), refused);
});

t.test('a part of a volume is mounted from where it was prepared, and from nowhere else', async (t) => {
  const mount = { subPath: 'a/b', name: 'host' };
  t.match(only(mount, { subPaths: new Map([[0, '/pods/u/volume-subpaths/host/c/0']]) }), {
    hostPath: '/pods/u/volume-subpaths/host/c/0',
    selinuxRelabel: false,
  });
  t.match(only({ subPathExpr: '$(NONE)' }, { subPaths: new Map() }), { hostPath: '/pods/u/volumes/data' });
});

t.test('the files of an image are the runtime’s to mount, and read-only', async (t) => {
  const withImage: MountedVolumes = new Map([['files', { hostPath: '', image: 'sha256:1', isManaged: false }]]);
  const mounts = (mount: Partial<VolumeMount>, more = {}) =>
    containerMounts(pod, container([{ name: 'files', mountPath: '/m', ...mount }]), withImage, more);
  t.strictSame(mounts({ readOnly: false }), [
    {
      containerPath: '/m',
      hostPath: '',
      image: { image: 'sha256:1' },
      readonly: true,
      propagation: 'PRIVATE',
      selinuxRelabel: false,
      recursiveReadOnly: false,
    },
  ]);
  t.match(mounts({ subPath: 'bin' }, { subPaths: new Map([[0, 'bin']]) }), [{ imageSubPath: 'bin' }]);
});
