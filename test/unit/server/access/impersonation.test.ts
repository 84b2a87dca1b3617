import t from 'tap';
import { readImpersonation } from '../../../../src/server/access/impersonation.ts';

t.test('who is to be impersonated, and what that takes', async (t) => {
  t.equal(readImpersonation(['Host', 'localhost', 'Authorization', 'Bearer x']), undefined);
  const headers = ['Impersonate-User', 'jane', 'Impersonate-Group', 'a, b', 'impersonate-group', 'c'];
  t.same(readImpersonation([...headers, 'Impersonate-Uid', '7', 'Impersonate-Extra-Team%2fx', 'y']), {
    identity: { user: 'jane', groups: ['a, b', 'c', 'system:authenticated'], uid: '7', extra: { 'team/x': ['y'] } },
    needed: [
      { verb: 'impersonate', group: '', resource: 'users', subresource: '', namespace: '', name: 'jane' },
      { verb: 'impersonate', group: '', resource: 'groups', subresource: '', namespace: '', name: 'a, b' },
      { verb: 'impersonate', group: '', resource: 'groups', subresource: '', namespace: '', name: 'c' },
      {
        verb: 'impersonate',
        group: 'authentication.k8s.io',
        resource: 'uids',
        subresource: '',
        namespace: '',
        name: '7',
      },
      {
        verb: 'impersonate',
        group: 'authentication.k8s.io',
        resource: 'userextras',
        subresource: 'team/x',
        namespace: '',
        name: 'y',
      },
    ],
  });
  t.same(readImpersonation(['impersonate-user', 'system:serviceaccount:ns:robot']), {
    identity: {
      user: 'system:serviceaccount:ns:robot',
      groups: ['system:serviceaccounts', 'system:serviceaccounts:ns', 'system:authenticated'],
    },
    needed: [
      { verb: 'impersonate', group: '', resource: 'serviceaccounts', subresource: '', namespace: 'ns', name: 'robot' },
    ],
  });
  t.match(readImpersonation(['impersonate-user', 'system:anonymous'])?.identity.groups, ['system:unauthenticated']);
});

t.test('headers that cannot be followed are refused, never passed over', async (t) => {
  for (const headers of [
    ['Impersonate-Group', 'a'],
    ['Impersonate-Uid', '7'],
    ['Impersonate-Extra-x', 'y'],
    ['Impersonate-User', ''],
    ['Impersonate-User', 'a', 'Impersonate-User', 'b'],
    ['Impersonate-User', 'a', 'Impersonate-Uid', '1', 'Impersonate-Uid', '2'],
    ['Impersonate-User', 'a', 'Impersonate-Everything', 'x'],
  ]) {
    t.throws(() => readImpersonation(headers), { code: 403 }, headers.join(' '));
  }
});
