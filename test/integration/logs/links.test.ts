import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import t from 'tap';
import { listPodLogDirectories, removeContainerLog, removePodLogs } from '../../../src/logs/cleanup.ts';
import { prepareContainerLog } from '../../../src/logs/directory.ts';
import { linkContainerLog, removeDeadLinks } from '../../../src/logs/links.ts';
import { containerLogPath } from '../../../src/logs/paths.ts';
import { removeTree } from '../../../src/util/remove-tree.ts';

const base = await mkdtemp('/tmp/mk-ll-');
const umask = process.umask(0o077);
t.teardown(async () => {
  process.umask(umask);
  await removeTree(base);
});
const directories = { logDirectory: join(base, 'pods'), logLinksDirectory: join(base, 'containers') };
const pod = { namespace: 'shop', name: 'web', uid: 'u1' };
const pathOf = (restart: number, owner = pod) =>
  join(directories.logDirectory, containerLogPath(owner, 'main', restart));
const linkOf = (id: string) => join(directories.logLinksDirectory, `web_shop_main-${id}.log`);
const linkLog = (restart: number, id: string, owner = pod) =>
  linkContainerLog(directories, { metadata: owner }, 'main', restart, id);
const modeOf = (path: string) => (statSync(path).mode & 0o7777).toString(8);
const isThere = (path: string) => lstatSync(path, { throwIfNoEntry: false }) !== undefined;

t.test('the directory of a log is made readable for log agents', async (t) => {
  await prepareContainerLog(directories.logDirectory, pod, 'main', 0);
  t.equal(modeOf(dirname(pathOf(0))), '755');
  t.equal(modeOf(dirname(dirname(pathOf(0)))), '755');
  t.equal(modeOf(directories.logDirectory), '755');
  t.notOk(existsSync(pathOf(0)), 'the log itself is made by the runtime');
  await writeFile(pathOf(0), 'log');
  await prepareContainerLog(directories.logDirectory, pod, 'main', 0);
  t.equal(readFileSync(pathOf(0), 'utf8'), 'log', 'a log that is there stays');
});

t.test('what the runtime would write through is cleared away', async (t) => {
  const victim = join(base, 'victim');
  await writeFile(victim, 'alive');
  await symlink(victim, pathOf(1));
  await prepareContainerLog(directories.logDirectory, pod, 'main', 1);
  t.notOk(isThere(pathOf(1)));
  await mkdir(join(pathOf(2), 'x'), { recursive: true });
  await prepareContainerLog(directories.logDirectory, pod, 'main', 2);
  t.notOk(isThere(pathOf(2)));
  t.equal(readFileSync(victim, 'utf8'), 'alive');

  const linked = { ...pod, uid: 'u2' };
  await symlink(base, join(directories.logDirectory, 'shop_web_u2'));
  await t.rejects(prepareContainerLog(directories.logDirectory, linked, 'main', 0), { name: 'UnsafePathError' });
});

t.test('a link leads to the log, and a second call changes nothing', async (t) => {
  await linkLog(0, 'aaa');
  await linkLog(0, 'aaa');
  t.equal(readlinkSync(linkOf('aaa')), pathOf(0));
  t.equal(modeOf(directories.logLinksDirectory), '755');
  await linkLog(1, 'aaa');
  t.equal(readlinkSync(linkOf('aaa')), pathOf(1), 'a link to another log is replaced');
  await linkLog(0, 'aaa');
});

t.test("one instance's log goes with its rotated files and its link", async (t) => {
  await linkLog(1, 'bbb');
  for (const name of ['', '.20240501-100000', '.20240501-090000.gz']) await writeFile(pathOf(1) + name, 'log');
  await writeFile(pathOf(10), 'log');
  await removeContainerLog(directories, pod, 'main', 1);
  t.strictSame(readdirSync(dirname(pathOf(0))).sort(), ['0.log', '10.log']);
  t.strictSame(readdirSync(directories.logLinksDirectory), ['web_shop_main-aaa.log']);
  await t.resolves(removeContainerLog(directories, { ...pod, uid: 'u9' }, 'main', 1));
});

t.test("a pod's logs and links go, those of others stay", async (t) => {
  const namesake = { ...pod, uid: 'u3' };
  await prepareContainerLog(directories.logDirectory, namesake, 'main', 0);
  await linkLog(0, 'ccc', namesake);
  await linkContainerLog(directories, { metadata: { ...pod, name: 'web-2' } }, 'main', 0, 'ddd');
  await writeFile(join(directories.logLinksDirectory, 'web_shop_notes.log'), 'a file');
  await removePodLogs(directories, pod);
  t.notOk(existsSync(join(directories.logDirectory, 'shop_web_u1')));
  t.strictSame(readdirSync(directories.logLinksDirectory).sort(), [
    'web-2_shop_main-ddd.log',
    'web_shop_main-ccc.log',
    'web_shop_notes.log',
  ]);
  await t.resolves(removePodLogs(directories, pod), 'and again');
  t.strictSame((await listPodLogDirectories(directories.logDirectory)).map(({ uid }) => uid).sort(), ['u2', 'u3']);
});

t.test('links whose log is gone are removed, but not those of logs that are being written', async (t) => {
  const owner = { ...pod, name: 'dead', uid: 'u7' };
  const link = (id: string) => `dead_shop_main-${id}.log`;
  await prepareContainerLog(directories.logDirectory, owner, 'main', 0);
  await writeFile(pathOf(0, owner), 'log');
  for (const restart of [0, 1, 2]) await linkLog(restart, `${restart}`, owner);
  await symlink('/nowhere/else.log', join(directories.logLinksDirectory, link('foreign')));
  await removeDeadLinks(directories, new Set([pathOf(2, owner)]));
  const left = readdirSync(directories.logLinksDirectory).filter((name) => name.startsWith('dead_'));
  t.strictSame(left.sort(), [link('0'), link('2'), link('foreign')]);
  await removePodLogs(directories, owner);
});

t.test('without any directory there is nothing to do', async (t) => {
  const none = { logDirectory: join(base, 'no'), logLinksDirectory: join(base, 'none') };
  await t.resolves(removePodLogs(none, pod));
  await t.resolves(removeDeadLinks(none, new Set()));
  t.strictSame(await listPodLogDirectories(none.logDirectory), []);
});
