import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { removePidFile, writePidFile } from '../../../src/util/pid-file.ts';

t.test('the file names the process, whatever a killed one left there', async (t) => {
  const path = join(t.testdir({}), 'daemon.pid');
  writeFileSync(path, '999999\n');
  writePidFile(path, 42);
  t.equal(readFileSync(path, 'utf8'), '42\n');
  removePidFile(path, 42);
  t.notOk(existsSync(path));
  removePidFile(path, 42);
});

t.test('the file of another process stays', async (t) => {
  const path = join(t.testdir({ 'daemon.pid': '43\n' }), 'daemon.pid');
  removePidFile(path, 42);
  t.equal(readFileSync(path, 'utf8'), '43\n');
});
