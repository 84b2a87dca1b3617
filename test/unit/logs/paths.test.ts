import t from 'tap';
import { containerLogPath, logFileName, logLinkName, podLogDirectoryName } from '../../../src/logs/paths.ts';

const pod = { namespace: 'shop', name: 'web.v1', uid: '0c5f1d2e-1111-2222-3333-444455556666' };

t.test('logs are where a kubelet puts them', async (t) => {
  t.equal(podLogDirectoryName(pod), 'shop_web.v1_0c5f1d2e-1111-2222-3333-444455556666');
  t.equal(logFileName('main', 3), 'main/3.log');
  t.equal(containerLogPath(pod, 'main', 0), 'shop_web.v1_0c5f1d2e-1111-2222-3333-444455556666/main/0.log');
  t.equal(logLinkName(pod, 'main', 'abc123'), 'web.v1_shop_main-abc123.log');
});

t.test('a link name never gets longer than a file name may be', async (t) => {
  const name = logLinkName({ namespace: 'n'.repeat(63), name: 'p'.repeat(253) }, 'c'.repeat(63), 'f'.repeat(64));
  t.equal(name.length, 255);
  t.match(name, /^p{251}\.log$/);
});

t.test('a name that would lead elsewhere is refused', async (t) => {
  for (const bad of ['..', '.', '', 'a/b', '../x', 'a\0', 'a\n', 'a_b']) {
    t.throws(() => podLogDirectoryName({ ...pod, name: bad }), bad);
    t.throws(() => podLogDirectoryName({ ...pod, uid: bad }), bad);
    t.throws(() => logFileName(bad, 0), bad);
    t.throws(() => logLinkName(pod, 'c', bad), bad);
  }
});
