// Writes the TypeScript types of proto/ to src/runtime/generated (or to the directory given as argument).
import { execFileSync } from 'node:child_process';
import { globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const outDir = process.argv[2] ?? join(root, 'src/runtime/generated');

rmSync(outDir, { recursive: true, force: true });
execFileSync(
  process.execPath,
  [
    join(root, 'node_modules/@grpc/proto-loader/build/bin/proto-loader-gen-types.js'),
    '--longs=String',
    '--enums=String',
    '--bytes=Buffer',
    '--defaults',
    '--grpcLib=@grpc/grpc-js',
    '--importFileExtension=.ts',
    '--targetFileExtension=.ts',
    `--includeDirs=${join(root, 'proto')}`,
    `--outDir=${outDir}`,
    'cri/runtime.proto',
    'containerd/events.proto',
    'containerd/tasks.proto',
    'grpc/health.proto',
  ],
  { stdio: ['ignore', 'ignore', 'inherit'], cwd: join(root, 'proto') },
);

// The generator notes where it read from with an absolute path, which would differ on every machine.
for (const file of globSync(join(outDir, '**/*.ts'))) {
  writeFileSync(file, readFileSync(file, 'utf8').replaceAll(`// Original file: ${root}/`, '// Original file: '));
}
