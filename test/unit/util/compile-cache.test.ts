import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';

const source = join(import.meta.dirname, '../../../src/util/compile-cache.ts');

t.test('the code of one run is kept for the next one, and no longer than the build', async (t) => {
  const state = t.testdir({});
  const program = join(state, 'program.mjs');
  const module = join(state, 'module.mjs');
  writeFileSync(module, 'export const answer = 42;\n');
  writeFileSync(
    program,
    `import { keepCompiledCode } from ${JSON.stringify(source)};
     keepCompiledCode(${JSON.stringify(state)}, import.meta.filename);
     const { answer } = await import(${JSON.stringify(module)});
     console.log(answer);\n`,
  );
  const directory = join(state, 'compile-cache');
  // A directory named by the environment, as the tests' own may be, would come first.
  const { NODE_COMPILE_CACHE: _, ...env } = process.env;
  const run = () => {
    t.equal(execFileSync(process.execPath, [program], { encoding: 'utf8', env }), '42\n');
    const [version = ''] = readdirSync(directory);
    return join(directory, version);
  };
  const kept = run();
  const files = readdirSync(kept);
  t.not(files.length, 0);

  const mark = join(kept, 'mark');
  writeFileSync(mark, '');
  for (const name of files) writeFileSync(join(kept, name), 'damaged');
  t.equal(run(), kept);
  t.ok(existsSync(mark), 'what belongs to this build stays');

  // Its time of change is after that of the directory from here on.
  while (statSync(program).ctimeMs <= statSync(directory).ctimeMs) chmodSync(program, 0o600);
  run();
  t.notOk(existsSync(mark), 'what belongs to another one does not');
});
