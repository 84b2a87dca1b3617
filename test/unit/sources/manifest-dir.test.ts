import { execFileSync } from 'node:child_process';
import { mkdirSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Decoder } from '../../../src/api/decode/decode.ts';
import { ManifestSource } from '../../../src/sources/manifest-dir.ts';
import type { DesiredPods } from '../../../src/sources/static-pod.ts';
import { logger, manifest, node } from './support.ts';

/**
 * A source on a real directory, and what it asked for and reported. `until` waits for the kernel's word of a change;
 * scans by time are rare enough never to help.
 */
function watchManifests(t: Test, files: Record<string, string | Record<string, string>>, scanIntervalMs = 3_600_000) {
  const directory = t.testdir(files);
  const reports: string[] = [];
  let last: DesiredPods | undefined;
  let notify = () => {};
  const decoder = new Decoder();
  const source = new ManifestSource({
    directory,
    ...node,
    decoder,
    logger,
    scanIntervalMs,
    sink: {
      apply: async (desired) => {
        last = desired;
        notify();
      },
    },
    report: (file, message) => {
      reports.push(`${file}: ${message}`);
      notify();
    },
  });
  t.teardown(async () => {
    await source.stop();
    await decoder.stop();
  });
  const until = async <T>(look: () => T | undefined | false): Promise<T> => {
    for (;;) {
      const { promise, resolve } = Promise.withResolvers<void>();
      notify = resolve;
      const found = look();
      if (found) return found;
      await promise;
    }
  };
  const names = () => last?.pods.map(({ pod, file }) => `${file} ${pod.metadata.name}`) ?? [];
  return {
    directory,
    source,
    reports,
    until,
    /** Waits until exactly these pods are asked for, as `file name`. */
    untilPods: (...expected: string[]) => until(() => last !== undefined && names().join() === expected.join() && last),
    write: (name: string, text: string) => writeFileSync(join(directory, name), text),
  };
}

t.test('files become pods in the order of their names, and changes are followed', async (t) => {
  const { source, directory, write, untilPods, reports } = watchManifests(t, {
    'b.yaml': manifest('b'),
    'a.yaml': `${manifest('a1')}---\n${manifest('a2')}---\n# nothing\n`,
  });
  source.start();
  const before = await untilPods('a.yaml a1-n1', 'a.yaml a2-n1', 'b.yaml b-n1');
  write('b.yaml', manifest('b', { image: 'other' }));
  write(
    'c.json',
    '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"c"},"spec":{"containers":[{"name":"m","image":"i"}]}}',
  );
  const after = await untilPods('a.yaml a1-n1', 'a.yaml a2-n1', 'b.yaml b-n1', 'c.json c-n1');
  t.equal(after.pods[0], before.pods[0], 'a file that did not change is not even read again');
  t.not(after.pods[2]?.hash, before.pods[2]?.hash);
  rmSync(join(directory, 'a.yaml'));
  await untilPods('b.yaml b-n1', 'c.json c-n1');
  renameSync(join(directory, 'c.json'), join(directory, 'd.json'));
  await untilPods('b.yaml b-n1', 'd.json c-n1');
  t.strictSame(reports, []);
});

t.test('what is no manifest is left out', async (t) => {
  const { source, directory, untilPods, reports, write } = watchManifests(t, {
    'a.yaml': manifest('a'),
    '.hidden.yaml': '{',
    '.a.yaml.swp': '{',
    'a.yaml~': '{',
    '#a.yaml#': '{',
    'a.yaml.swp': '{',
    'a.yaml.tmp': '{',
    sub: { 'x.yaml': manifest('x') },
  });
  mkdirSync(join(directory, 'dir.yaml'));
  source.start();
  await untilPods('a.yaml a-n1');
  write('b.yaml', '# nothing in it\n');
  write('c.yaml', manifest('c'));
  await untilPods('a.yaml a-n1', 'c.yaml c-n1');
  t.strictSame(reports, []);
});

t.test('a mistake in a file changes nothing, is told once, and is over when the file is right', async (t) => {
  const { source, write, untilPods, until, reports } = watchManifests(t, {
    'a.yaml': manifest('a'),
    'b.yaml': 'kind: [\n',
  });
  source.start();
  const first = await untilPods('a.yaml a-n1');
  t.strictSame([...first.unreadFiles], ['b.yaml'], 'of a file that was never right the stored pods stay');
  t.match(reports, [/^b.yaml: line 2, column 1: /]);

  write('a.yaml', manifest('a').slice(0, -20));
  await until(() => reports.length === 2);
  t.match(reports[1], /^a.yaml: /);
  write('c.yaml', manifest('c'));
  const kept = await untilPods('a.yaml a-n1', 'c.yaml c-n1');
  t.equal(kept.pods[0]?.hash, first.pods[0]?.hash);
  t.equal(reports.length, 2, 'a mistake that stays is not told again');

  write('a.yaml', manifest('a', { image: 'fixed' }));
  write('b.yaml', manifest('b'));
  const all = await untilPods('a.yaml a-n1', 'b.yaml b-n1', 'c.yaml c-n1');
  t.equal(all.pods[0]?.pod.spec.containers[0]?.image, 'fixed');
  t.equal(all.unreadFiles.size, 0);
});

t.test('all mistakes of a file are told together, with the lines of their documents', async (t) => {
  const { source, until, reports } = watchManifests(t, {
    'a.yaml': `${manifest('a', { extra: '    imagee: x\n' })}---\nkind: Deployment\napiVersion: apps/v1\n---\n${manifest('ok')}`,
  });
  source.start();
  await until(() => reports.length === 1);
  t.match(reports[0], /^a.yaml: document at line 1: .*imagee.*\ndocument at line \d+: only these can be here/s);
});

t.test('what cannot be read as a file is refused without waiting for it', async (t) => {
  const { source, directory, until, untilPods, reports, write } = watchManifests(t, { 'z.yaml': manifest('z') });
  execFileSync('mkfifo', [join(directory, 'fifo.yaml')]);
  symlinkSync('loop.yaml', join(directory, 'loop.yaml'));
  symlinkSync('nowhere', join(directory, 'dangling.yaml'));
  symlinkSync('fifo.yaml', join(directory, 'link-to-fifo.yaml'));
  write('large.yaml', '');
  truncateSync(join(directory, 'large.yaml'), 10 * 1024 * 1024 + 1);
  writeFileSync(join(directory, 'latin1.yaml'), Buffer.from('kind: Pod\nx: \xe9\n', 'latin1'));
  source.start();
  await untilPods('z.yaml z-n1');
  await until(() => reports.length === 6);
  t.match(reports.sort(), [
    /^dangling.yaml: ENOENT/,
    /^fifo.yaml: .*is not a regular file|^fifo.yaml: /,
    /^large.yaml: the file is larger than 10 MiB/,
    /^latin1.yaml: line 2, column 4: invalid UTF-8/,
    /^link-to-fifo.yaml: /,
    /^loop.yaml: ELOOP/,
  ]);
});

t.test('a link to a file is followed', async (t) => {
  const { source, directory, untilPods } = watchManifests(t, { sub: { 'real.yaml': manifest('a') } });
  symlinkSync('sub/real.yaml', join(directory, 'a.yaml'));
  source.start();
  await untilPods('a.yaml a-n1');
});

t.test('of two pods with one full name the first file wins', async (t) => {
  const { source, directory, untilPods, until, reports } = watchManifests(t, {
    'a.yaml': manifest('web'),
    'b.yaml': manifest('web', { image: 'other' }),
  });
  source.start();
  await untilPods('a.yaml web-n1');
  await until(() => reports.length === 1);
  t.strictSame(reports, ['b.yaml: the pod default/web-n1 is in a.yaml already']);
  rmSync(join(directory, 'a.yaml'));
  await untilPods('b.yaml web-n1');
});

t.test('a directory that is away keeps its pods, and is watched again when it is back', async (t) => {
  const { source, directory, untilPods, until, reports, write } = watchManifests(t, { 'a.yaml': manifest('a') }, 50);
  source.start();
  await untilPods('a.yaml a-n1');
  renameSync(directory, `${directory}.away`);
  t.teardown(() => rmSync(`${directory}.away`, { recursive: true, force: true }));
  await until(() => reports.length === 1);
  t.match(reports[0], /^: the directory cannot be read, its pods stay as they are: ENOENT/);
  mkdirSync(directory);
  write('b.yaml', manifest('b'));
  await untilPods('b.yaml b-n1');
});

t.test('a thousand files', async (t) => {
  const names = Array.from({ length: 1000 }, (_, i) => String(i).padStart(4, '0'));
  const files = Object.fromEntries(names.map((name) => [`${name}.yaml`, manifest(`p${name}`)]));
  const { source, untilPods, reports } = watchManifests(t, files);
  source.start();
  await untilPods(...names.map((name) => `${name}.yaml p${name}-n1`));
  t.strictSame(reports, []);
});

t.test('the daemon can be stopped at any time', async (t) => {
  const { source } = watchManifests(t, { 'a.yaml': manifest('a') });
  source.start();
  await source.stop();
  t.pass();
});
