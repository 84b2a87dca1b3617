import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import t from 'tap';
import { SealError, SecretBox } from '../../../src/store/secret-box.ts';
import { addSecretKey, KeyFileError, readSecretKeys } from '../../../src/store/secret-keys.ts';
import { newStore, type Thing, thing, thingKind } from './support.ts';

const secretThing = { ...thingKind, plural: 'secrets', isSecret: true };
const canary = 'canary-7f3a91';

/** The bytes of every file of a store: database, log, key file, reserve. */
function bytesIn(directory: string): string {
  return readdirSync(directory)
    .map((name) => readFileSync(join(directory, name), 'latin1'))
    .join('');
}

function recolor(color: string): (current: Thing) => Thing {
  return (current) => ({ ...current, spec: { color } });
}

t.test('what a secret holds is on the disk in no file, neither before nor after it changes or goes', async (t) => {
  const directory = t.testdir({});
  const path = join(directory, 'store.db');
  const store = newStore(path);
  store.open();
  store.create(secretThing, thing('a', canary));
  store.create(thingKind, thing('open', 'in-the-clear'));
  store.update(secretThing, 'default', 'a', recolor(`${canary}-2`));
  await store.flushed();
  t.match(bytesIn(directory), 'in-the-clear', 'the test looks at the right place');
  t.notMatch(bytesIn(directory), canary);
  t.notMatch(bytesIn(directory), Buffer.from(canary).toString('base64').slice(0, -4));
  store.close();
  t.notMatch(bytesIn(directory), canary, 'nor when the log was brought over');

  const again = newStore(path);
  again.open();
  t.teardown(() => again.close());
  t.equal(again.get(secretThing, 'default', 'a')?.spec.color, `${canary}-2`, 'it is read back');
  again.delete(secretThing, 'default', 'a');
  t.notMatch(bytesIn(directory), canary);
  t.equal(statSync(join(directory, 'secrets.key')).mode & 0o777, 0o600, "the keys are root's alone");
});

t.test('a new key encrypts everything at the next start, and the old one is not needed then', async (t) => {
  const directory = t.testdir({});
  const path = join(directory, 'store.db');
  const keyPath = join(directory, 'secrets.key');
  const store = newStore(path);
  store.open();
  store.create(secretThing, thing('a', canary));
  store.close();
  const [old] = readSecretKeys(keyPath) ?? [];
  addSecretKey(keyPath);
  t.equal(readSecretKeys(keyPath)?.length, 2);

  const rotated = newStore(path);
  rotated.open();
  t.equal(rotated.get(secretThing, 'default', 'a')?.metadata.resourceVersion, '1', 'nothing else changed');
  rotated.close();
  const text = readFileSync(keyPath, 'utf8');
  writeFileSync(keyPath, text.replace(new RegExp(`^${old?.id} .*\n`, 'm'), ''));
  t.equal(readSecretKeys(keyPath)?.length, 1);
  const later = newStore(path);
  later.open();
  t.equal(later.get(secretThing, 'default', 'a')?.spec.color, canary);
  later.close();
});

t.test('without its key the store is not opened, and no new key takes the place of the lost one', async (t) => {
  const directory = t.testdir({});
  const path = join(directory, 'store.db');
  const keyPath = join(directory, 'secrets.key');
  const store = newStore(path);
  store.open();
  store.create(secretThing, thing('a', canary));
  store.close();
  const saved = readFileSync(keyPath);
  rmSync(keyPath);
  t.throws(() => newStore(path).open(), {
    name: 'StoreUnreadableError',
    message: /key file .*secrets\.key is missing/,
  });
  t.notOk(existsSync(keyPath));
  addSecretKey(keyPath);
  t.throws(() => newStore(path).open(), { name: 'StoreUnreadableError', message: /default\/a: .*not in the key file/ });
  writeFileSync(keyPath, saved);
  const again = newStore(path);
  again.open();
  t.equal(again.get(secretThing, 'default', 'a')?.spec.color, canary);
  again.close();
});

t.test('a record that was put under another name is refused', async (t) => {
  const path = join(t.testdir({}), 'store.db');
  const store = newStore(path);
  store.open();
  store.create(secretThing, thing('a', canary));
  store.close();
  const db = new DatabaseSync(path);
  db.exec("UPDATE objects SET name = 'b'");
  db.close();
  t.throws(() => newStore(path).open(), { name: 'StoreUnreadableError', message: /default\/b: its encrypted content/ });
});

t.test('sealed texts open where they belong, whole, and nowhere else', async (t) => {
  const keys = addSecretKey(join(t.testdir({}), 'k'));
  const box = new SecretBox(keys);
  const place = { kind: 'secrets', namespace: 'a', name: 'b' };
  const sealed = box.seal('text', place);
  t.equal(box.open(sealed, place), 'text');
  t.not(box.seal('text', place), sealed, 'the same text looks different each time');
  for (const other of [
    { ...place, kind: 'configmaps' },
    { ...place, namespace: 'c' },
    { ...place, name: 'c' },
  ]) {
    t.throws(() => box.open(sealed, other), SealError);
  }
  const [head = '', id = '', data = ''] = sealed.split(':');
  const bytes = Buffer.from(data, 'base64');
  for (let i = 0; i < bytes.length; i++) {
    const changed = Buffer.from(bytes);
    changed[i] = (changed[i] ?? 0) ^ 1;
    t.throws(() => box.open([head, id, changed.toString('base64')].join(':'), place), SealError, `byte ${i}`);
  }
  t.throws(() => box.open([head, id, bytes.subarray(0, 20).toString('base64')].join(':'), place), SealError);
});

t.test('a key file with anything wrong is refused, and no key is told', async (t) => {
  const directory = t.testdir({});
  const path = join(directory, 'k');
  const [key] = addSecretKey(path);
  const good = readFileSync(path, 'utf8');
  const secret = key?.bytes.toString('base64') ?? '';
  const wrong = [
    '',
    '# nothing\n',
    good.replace(secret, secret.slice(4)),
    good.replace(`${key?.id} `, 'ffffffff '),
    `${good}x\n`,
  ];
  for (const text of wrong) {
    writeFileSync(path, text);
    t.throws(() => readSecretKeys(path), KeyFileError);
    try {
      readSecretKeys(path);
    } catch (error) {
      t.notMatch(String(error), secret.slice(8, 20));
    }
  }
  t.equal(readSecretKeys(join(directory, 'none')), undefined);
});
