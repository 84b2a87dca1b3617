// Builds the images that work with no registry in reach, from two static programs of the distribution:
// the sandbox image from catatonit, and a demo image from busybox. Equal inputs give equal bytes (and digests).
//
// usage: node scripts/images.ts FILE
// Writes one OCI archive with all images; `ctr --namespace k8s.io images import FILE` brings them into containerd.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

export const pauseImage = 'mini-kubelet.local/pause:1';
export const demoImage = 'mini-kubelet.local/demo:1';

interface FileEntry {
  readonly path: string;
  readonly mode?: number;
  readonly content?: string | Uint8Array;
  readonly linkTo?: string;
}

interface ImageSource {
  readonly name: string;
  readonly files: readonly FileEntry[];
  readonly config: Readonly<Record<string, unknown>>;
}

const searchPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const demoConfig = { Env: [`PATH=${searchPath}`], Cmd: ['sh'] };

function baseImages(): ImageSource[] {
  const pause = { path: 'pause', mode: 0o755, content: staticProgram('/usr/bin/catatonit', 'catatonit') };
  return [
    // The sandbox process needs no privilege; 65535 is nobody's id.
    { name: pauseImage, files: [pause], config: { Entrypoint: ['/pause', '-P'], User: '65535:65535' } },
    { name: demoImage, files: demoFiles(), config: demoConfig },
  ];
}

/** Images that only tests use: another digest, a user, an entrypoint. */
function testImages(): ImageSource[] {
  const files = demoFiles();
  const entrypoint = {
    Env: [`PATH=${searchPath}`, 'FROM_IMAGE=yes'],
    Entrypoint: ['/bin/echo', 'entry'],
    Cmd: ['cmd'],
    WorkingDir: '/tmp',
  };
  const repository = 'mini-kubelet.local/demo';
  return [
    { name: `${repository}:2`, files: [...files, { path: 'etc/demo-version', content: '2\n' }], config: demoConfig },
    { name: `${repository}:uid1000`, files, config: { ...demoConfig, User: '1000:1000' } },
    { name: `${repository}:user`, files, config: { ...demoConfig, User: 'demo' } },
    { name: `${repository}:entrypoint`, files, config: entrypoint },
  ];
}

function demoFiles(): FileEntry[] {
  const applets = execFileSync('busybox', ['--list-full'], { encoding: 'utf8' })
    .split('\n')
    .filter((path) => path !== '' && path !== 'bin/busybox');
  return [
    ...['bin', 'sbin', 'usr', 'usr/bin', 'usr/sbin', 'etc', 'dev', 'proc', 'sys', 'run', 'var', 'www'].map(directory),
    directory('home'),
    { path: 'root/', mode: 0o700 },
    { path: 'tmp/', mode: 0o1777 },
    { path: 'bin/busybox', mode: 0o755, content: staticProgram('/bin/busybox', 'busybox-static') },
    ...applets.map((path) => ({ path, linkTo: '/bin/busybox' })),
    { path: 'etc/passwd', content: 'root:x:0:0:root:/root:/bin/sh\ndemo:x:1000:1000:demo:/home:/bin/sh\n' },
    { path: 'etc/group', content: 'root:x:0:\ndemo:x:1000:\nextra:x:50000:demo\n' },
  ];
}

function directory(name: string): FileEntry {
  return { path: `${name}/`, mode: 0o755 };
}

/** Reads an ELF program and makes sure that it needs no library, since the image holds none. */
function staticProgram(path: string, packageName: string): Uint8Array {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw new Error(`${path} is missing: apt-get install ${packageName}`, { cause: error });
  }
  const programHeaders = Number(bytes.readBigUInt64LE(32));
  const entrySize = bytes.readUInt16LE(54);
  const interpreterSegment = 3;
  for (let index = 0; index < bytes.readUInt16LE(56); index += 1) {
    if (bytes.readUInt32LE(programHeaders + index * entrySize) === interpreterSegment) {
      throw new Error(`${path} is not statically linked: apt-get install ${packageName}`);
    }
  }
  return bytes;
}

/** A ustar archive with fixed owners and times. A path that ends with a slash is a directory. */
function tar(entries: readonly FileEntry[]): Buffer {
  const blocks: Buffer[] = [];
  for (const entry of entries) {
    const content = Buffer.from(entry.content ?? '');
    blocks.push(tarHeader(entry, content.length), content, Buffer.alloc(-content.length & 511));
  }
  blocks.push(Buffer.alloc(1024));
  return Buffer.concat(blocks);
}

function tarHeader(entry: FileEntry, size: number): Buffer {
  const header = Buffer.alloc(512);
  const octal = (value: number, offset: number, length: number) =>
    header.write(value.toString(8).padStart(length - 1, '0'), offset, 'latin1');
  const type = entry.linkTo !== undefined ? '2' : entry.path.endsWith('/') ? '5' : '0';
  header.write(entry.path, 0, 100, 'utf8');
  octal(entry.mode ?? 0o644, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(size, 124, 12);
  octal(0, 136, 12);
  header.write('        ', 148, 'latin1');
  header.write(type, 156, 'latin1');
  header.write(entry.linkTo ?? '', 157, 100, 'utf8');
  header.write('ustar\x0000', 257, 'latin1');
  const checksum = header.reduce((sum, byte) => sum + byte, 0);
  header.write(`${checksum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

export interface OciImages {
  /** Contents by digest: layers, configurations, manifests. */
  readonly blobs: ReadonlyMap<string, Buffer>;
  /** Each image's manifest, by the image's name. */
  readonly manifests: ReadonlyMap<string, Descriptor>;
}

const platform = { architecture: process.arch === 'x64' ? 'amd64' : process.arch, os: 'linux' };

function ociImages(sources: readonly ImageSource[]): OciImages {
  const blobs = new Map<string, Buffer>();
  const manifests = new Map<string, Descriptor>();
  const store = (content: Buffer, mediaType: string): Descriptor => {
    const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
    blobs.set(digest, content);
    return { mediaType, digest, size: content.length };
  };
  const storeJson = (value: unknown, mediaType: string) => store(Buffer.from(JSON.stringify(value)), mediaType);
  for (const source of sources) {
    const layer = store(tar(source.files), 'application/vnd.oci.image.layer.v1.tar');
    const rootfs = { type: 'layers', diff_ids: [layer.digest] };
    const image = { ...platform, created: '1970-01-01T00:00:00Z', config: source.config, rootfs };
    const config = storeJson(image, 'application/vnd.oci.image.config.v1+json');
    const mediaType = 'application/vnd.oci.image.manifest.v1+json';
    manifests.set(source.name, storeJson({ schemaVersion: 2, mediaType, config, layers: [layer] }, mediaType));
  }
  return { blobs, manifests };
}

function ociArchive(sources: readonly ImageSource[]): Buffer {
  const { blobs, manifests } = ociImages(sources);
  const index = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    // containerd takes the whole name from this annotation.
    manifests: [...manifests].map(([name, manifest]) => {
      return { ...manifest, platform, annotations: { 'io.containerd.image.name': name } };
    }),
  };
  return tar([
    { path: 'oci-layout', content: '{"imageLayoutVersion":"1.0.0"}' },
    { path: 'index.json', content: JSON.stringify(index) },
    directory('blobs'),
    directory('blobs/sha256'),
    ...[...blobs].map(([digest, content]) => ({ path: `blobs/${digest.replace(':', '/')}`, content })),
  ]);
}

/** The demo image under other names, as a test's registry serves it; each has a digest of its own. */
export function demoImagesNamed(names: readonly string[]): OciImages {
  const files = demoFiles();
  return ociImages(names.map((name) => ({ name, files, config: { ...demoConfig, Labels: { name } } })));
}

/** Writes one OCI archive with the sandbox and demo images, and with those of the tests if wanted. */
export function buildImages(file: string, options: { forTests?: boolean } = {}): void {
  writeArchive(file, [...baseImages(), ...(options.forTests ? testImages() : [])]);
}

/** Writes one OCI archive with the demo image under other names, each with its own change of the configuration. */
export function buildDemoVariants(
  file: string,
  changes: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
): void {
  const files = demoFiles();
  writeArchive(
    file,
    Object.entries(changes).map(([name, change]) => ({ name, files, config: { ...demoConfig, ...change } })),
  );
}

function writeArchive(file: string, sources: readonly ImageSource[]): void {
  mkdirSync(dirname(file), { recursive: true });
  // A reader must never see half a file.
  const temporary = `${file}.${process.pid}`;
  writeFileSync(temporary, ociArchive(sources));
  renameSync(temporary, file);
}

if (import.meta.main) {
  const file = process.argv[2];
  if (file === undefined) throw new Error('usage: node scripts/images.ts FILE');
  buildImages(file);
}
