import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { envFileValue, readEnvFile } from '../../../src/volumes/env-file.ts';

const text = `# settings
A='one'
  B='two # no comment' # a comment
C=''
D= 'something else'

E='first
second'
F='x'\r
A='again'
`;

t.test('values are what is between the quotes', async (t) => {
  const values: Record<string, string | undefined> = {
    A: 'one',
    B: 'two # no comment',
    C: '',
    D: '',
    E: 'first\nsecond',
    F: 'x',
    G: undefined,
    toString: undefined,
  };
  for (const [name, value] of Object.entries(values)) t.equal(envFileValue(text, name), value, name);
});

const wrong: readonly [string, RegExp][] = [
  ['A', /line 1: missing '='/],
  ["='x'", /line 1: empty variable name/],
  ["B='x'\nA ='x'", /line 2: whitespace before '=' is not allowed/],
  ['A=x', /line 1: value must be enclosed in single quotes/],
  ['A="x"', /line 1: value must be enclosed in single quotes/],
  ["A='x'y", /line 1: unexpected content after closing quote/],
  ["A='x\ny'z", /line 2: unexpected content after closing quote/],
  ["\nA='x\n", /line 2: unclosed single quote/],
];
for (const [file, message] of wrong) {
  t.test(`${JSON.stringify(file)} is refused, without its content`, async (t) => {
    t.throws(() => envFileValue(file, 'A'), { message });
  });
}

t.test('a path is one below the volume, however it is written', async (t) => {
  const volume = t.testdir();
  mkdirSync(join(volume, 'dir'));
  writeFileSync(join(volume, 'dir', '..env'), text);
  for (const path of ['dir/..env', '/dir/..env', '//dir/./..env', './dir//..env']) {
    t.equal(await readEnvFile(volume, path), text, path);
  }
  t.equal(await readEnvFile(volume, '/etc/passwd'), undefined, 'nothing of the host');
  for (const path of ['/', '.', 'dir', 'dir/../dir/..env']) {
    await t.rejects(readEnvFile(volume, path), { name: 'UnsafePathError' }, path);
  }
});
