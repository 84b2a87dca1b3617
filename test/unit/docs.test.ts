import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';

const root = join(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const pages = ['README.md', 'CHANGELOG.md', ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)];

t.test('each field that is refused by name is named in docs/compatibility.md, and no other', async (t) => {
  const [, section = ''] = read('docs/compatibility.md').split('## Refused by name');
  const documented = new Set([...section.matchAll(/`(spec\.[^`]+)`/g)].map(([, path]) => path));
  const refused = [...read('src/api/pod-support.ts').matchAll(/\{ path: '([^']+)'/g)].map(([, path]) => path);
  t.ok(refused.length > 10, 'the table was found');
  t.strictSame([...documented].sort(), [...refused].sort());
});

t.test('links between the pages lead somewhere', async (t) => {
  for (const page of pages) {
    for (const [, link = ''] of read(page).matchAll(/\]\(([^)#]+)[^)]*\)/g)) {
      if (/^https?:/.test(link)) continue;
      t.ok(existsSync(join(root, dirname(page), link)), `${page}: ${link}`);
    }
  }
});

t.test('scripts and examples that the pages name are there', async (t) => {
  for (const page of pages) {
    for (const [path] of read(page).matchAll(/\b(?:scripts|examples|bench)\/[\w-]+\.(?:sh|ts|yaml)\b/g)) {
      t.ok(existsSync(join(root, path)), `${page}: ${path}`);
    }
  }
});
