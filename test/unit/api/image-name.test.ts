import t from 'tap';
import { imageNameProblem, imageRepository } from '../../../src/api/image-name.ts';

const digest = `sha256:${'a'.repeat(64)}`;

t.test('what names an image', async (t) => {
  const names = [
    'busybox',
    'busybox:1.36',
    'library/busybox',
    'a/b/c__d.e-f--g:Tag_1.0',
    'localhost/app',
    'localhost:5000/app',
    'registry.test/app:1',
    'REGISTRY/app',
    '[::1]:5000/app',
    `app@${digest}`,
    `registry.test:443/a/app:1@${digest}`,
    'mini-kubelet.local/demo:1',
    'g'.repeat(64),
    `a.b/${'c'.repeat(251)}`,
  ];
  for (const name of names) t.equal(imageNameProblem(name), undefined, name);
});

t.test('what does not, and why', async (t) => {
  const cases: [string, RegExp][] = [
    ['', /^invalid reference format$/],
    [' busybox', /^invalid reference format$/],
    ['busybox:', /^invalid reference format$/],
    ['busybox:a b', /^invalid reference format$/],
    [`busybox:${'a'.repeat(129)}`, /^invalid reference format$/],
    ['/busybox', /^invalid reference format$/],
    ['a//b', /^invalid reference format$/],
    ['registry.test/', /^invalid reference format$/],
    ['a/-b', /^invalid reference format$/],
    ['a___b', /^invalid reference format$/],
    ['app@sha256:abc', /^invalid reference format$/],
    ['app:1\n', /^invalid reference format$/],
    ['a'.repeat(5000), /^invalid reference format$/],
    ['BusyBox', /must be lowercase/],
    ['registry.test/App:1', /must be lowercase/],
    ['Not/An:Image:', /must be lowercase/],
    ['a'.repeat(64), /cannot specify 64-byte hexadecimal strings/],
    [`a.b/${'c'.repeat(252)}`, /must not be more than 255 characters/],
  ];
  for (const [name, problem] of cases) t.match(imageNameProblem(name), problem, JSON.stringify(name.slice(0, 40)));
});

t.test('a long text of no image is told soon', async (t) => {
  const started = performance.now();
  for (const text of [
    'a-'.repeat(2000),
    'a.'.repeat(2000),
    '-'.repeat(4000),
    'a__'.repeat(1300),
    `${'a/'.repeat(2000)}!`,
  ]) {
    imageNameProblem(text);
    imageNameProblem(`${text}A`);
  }
  t.ok(performance.now() - started < 10_000);
});

t.test('the repository of an image has its registry, and neither tag nor digest', async (t) => {
  const cases: [string, string | undefined][] = [
    ['busybox', 'docker.io/library/busybox'],
    ['busybox:1.36', 'docker.io/library/busybox'],
    ['team/app', 'docker.io/team/app'],
    ['docker.io/app:1', 'docker.io/library/app'],
    ['index.docker.io/team/app', 'docker.io/team/app'],
    ['localhost/app', 'localhost/app'],
    ['registry.test:5000/a/b:1', 'registry.test:5000/a/b'],
    [`registry.test/a@${digest}`, 'registry.test/a'],
    [`[::1]:5000/a:1@${digest}`, '[::1]:5000/a'],
    ['sha256:abc', 'docker.io/library/sha256'],
    ['Not/An:Image:', undefined],
  ];
  for (const [name, repository] of cases) t.equal(imageRepository(name), repository, name);
});
