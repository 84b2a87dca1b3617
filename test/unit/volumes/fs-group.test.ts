import t from 'tap';
import { fsGroupMode, fsGroupOf } from '../../../src/volumes/fs-group.ts';
import { podWith } from '../pod/fixtures.ts';

t.test('what a group may do with what is in its volume', async (t) => {
  const octal = (...args: Parameters<typeof fsGroupMode>) => fsGroupMode(...args).toString(8);
  t.equal(octal(0o100600, false), '660');
  t.equal(octal(0o100744, false), '764');
  t.equal(octal(0o040700, true), '2770');
  t.equal(octal(0o041777, true), '3777');
  t.equal(octal(0o100600, false, true), '640');
  t.equal(octal(0o040700, true, true), '2750');
});

t.test('a pod without fsGroup leaves its volumes alone', async (t) => {
  t.equal(fsGroupOf(podWith()), undefined);
  t.equal(fsGroupOf(podWith({ securityContext: { fsGroupChangePolicy: 'Always' } })), undefined);
  t.strictSame(fsGroupOf(podWith({ securityContext: { fsGroup: 0 } })), { gid: 0, onRootMismatch: false });
  t.strictSame(fsGroupOf(podWith({ securityContext: { fsGroup: 7, fsGroupChangePolicy: 'OnRootMismatch' } })), {
    gid: 7,
    onRootMismatch: true,
  });
});
