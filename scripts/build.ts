// Bundles the daemon into dist/: a few files start faster and need less memory than hundreds of modules, and the
// installed daemon needs no node_modules.
//
//   dist/mini-kubelet        launcher: finds Node and passes the flags that the daemon relies on
//   dist/main.js             the daemon, with what it needs at once in dist/chunk-*.js
//   dist/decode-worker.js    the thread that parses requests
//   dist/proto/              protocol definitions, read at start
import { chmodSync, cpSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');
// Built beside it and put in place as a whole: a daemon that starts meanwhile finds the old build or the new one.
const fresh = join(root, `.cache/dist-${process.pid}`);

const entries = {
  main: join(root, 'src/main.ts'),
  'decode-worker': join(root, 'src/api/decode/worker.ts'),
};

// protobufjs looks for `require` with eval, pino and others call it: ESM has none of its own.
const banner = `import { createRequire as __createRequire } from 'node:module';
import { fileURLToPath as __fileURLToPath } from 'node:url';
import { dirname as __pathDirname } from 'node:path';
const require = __createRequire(import.meta.url);
const __filename = __fileURLToPath(import.meta.url);
const __dirname = __pathDirname(__filename);`;

const launcher = `#!/bin/sh
# Starts mini-kubelet with the Node.js that was installed with it, or another one that is new enough.
set -eu
here=$(dirname -- "$(readlink -f -- "$0")")
case $(uname -m) in
  aarch64) arch=arm64 ;;
  *) arch=x64 ;;
esac
new_enough='
  const [major, minor] = process.versions.node.split(".").map(Number);
  process.exitCode = major > 24 || (major === 24 && minor >= 12) ? 0 : 1;'
# Options of whoever starts it must not open an inspector or preload code.
unset NODE_OPTIONS
# Each thread would keep memory of its own for reuse: 8 MB more, for nothing that is measurable.
export MALLOC_ARENA_MAX=2
# glibc would raise these by itself after a busy time, and then give less back: 3 MB.
export MALLOC_TRIM_THRESHOLD_=131072 MALLOC_MMAP_THRESHOLD_=131072
start() {
  node=$1
  shift
  exec "$node" --disable-sigusr1 --disable-proto=delete --max-old-space-size=256 --max-semi-space-size=2 --expose-gc "$here/main.js" "$@"
}
for node in "$here/node" "$here/../node_modules/node-linux-$arch/bin/node"; do
  if [ -x "$node" ]; then start "$node" "$@"; fi
done
node=$(command -v node || :)
if [ -n "$node" ] && "$node" -e "$new_enough"; then start "$node" "$@"; fi
echo "mini-kubelet: no Node.js 24.12 or newer: run npm ci in $here/.." >&2
exit 1
`;

for (const [name, file] of Object.entries(entries)) {
  if (!existsSync(file)) throw new Error(`${file}, the entry of ${name}, is missing`);
}
mkdirSync(fresh, { recursive: true });
await build({
  entryPoints: entries,
  outdir: fresh,
  // Names of modules are told from here, wherever this is run.
  absWorkingDir: root,
  bundle: true,
  // What is imported dynamically stays on the disk until it is needed.
  splitting: true,
  chunkNames: 'chunk-[hash]',
  format: 'esm',
  platform: 'node',
  target: 'node24',
  // The source text stays in memory for as long as the daemon runs, so it carries no layout. Names stay: stacks are read
  // by people.
  minifyWhitespace: true,
  minifySyntax: true,
  // In the text they would make it one of two bytes for each character.
  legalComments: 'external',
  // Fastify requires them where an application has schemas, or is tested without a socket.
  external: ['@fastify/ajv-compiler', '@fastify/fast-json-stringify-compiler', 'light-my-request'],
  banner: { js: banner },
  logLevel: 'warning',
});
cpSync(join(root, 'proto'), join(fresh, 'proto'), { recursive: true });
writeFileSync(join(fresh, 'mini-kubelet'), launcher);
chmodSync(join(fresh, 'mini-kubelet'), 0o755);
writeFileSync(join(fresh, 'package.json'), '{ "type": "module", "private": true }\n');
rmSync(dist, { recursive: true, force: true });
renameSync(fresh, dist);
