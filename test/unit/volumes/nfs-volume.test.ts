import t from 'tap';
import { nfsMountArguments } from '../../../src/volumes/nfs-volume.ts';

t.test('how mount(8) is called', async (t) => {
  const source = { server: 'nas.example.com', path: '/srv/data' };
  t.strictSame(nfsMountArguments(source, [], '/t'), [
    '--no-canonicalize',
    '-t',
    'nfs',
    '-o',
    'retry=0',
    '--',
    'nas.example.com:/srv/data',
    '/t',
  ]);
  const call = (change: object, options: string[] = []) => nfsMountArguments({ ...source, ...change }, options, '/t');
  t.match(
    call({ readOnly: true }, ['rw', ' vers=4.1,soft']),
    { 4: 'rw,vers=4.1,soft,retry=0,ro' },
    'the last one counts',
  );
  t.match(call({ readOnly: false }, ['retry=1']), { 4: 'retry=1' });
  t.match(call({ server: 'fd00::1' }), { 6: '[fd00::1]:/srv/data' });
  t.match(call({ path: '/a b,c:-o' }), { 6: 'nas.example.com:/a b,c:-o' });
});
