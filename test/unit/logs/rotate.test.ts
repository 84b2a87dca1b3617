import t from 'tap';
import { planRotation, timeSuffix } from '../../../src/logs/rotate.ts';

const at = (minute: number, rest = '') => `0.log.20240501-10${String(minute).padStart(2, '0')}00${rest}`;

t.test('nothing was rotated yet: nothing to do', async (t) => {
  t.strictSame(planRotation('0.log', ['0.log'], 5), { remove: [], compress: [] });
});

t.test('the last rotated file is compressed, the compressed ones stay as long as there is room', async (t) => {
  t.strictSame(planRotation('0.log', ['0.log', at(3), at(1, '.gz'), at(2, '.gz')], 5), {
    remove: [],
    compress: [at(3)],
  });
  t.strictSame(planRotation('0.log', [at(4), at(3, '.gz'), '0.log', at(1, '.gz'), at(2, '.gz')], 5), {
    remove: [at(1, '.gz')],
    compress: [at(4)],
  });
});

t.test('with two files nothing older is kept', async (t) => {
  t.strictSame(planRotation('0.log', ['0.log', at(1), at(2)], 2), { remove: [at(1), at(2)], compress: [] });
});

t.test('what a rotation that was cut short left behind goes', async (t) => {
  t.strictSame(planRotation('0.log', ['0.log', at(1), at(1, '.gz'), at(2), at(2, '.tmp')], 5), {
    remove: [at(1), at(2, '.tmp')],
    compress: [at(2)],
  });
});

t.test('files of others are left alone', async (t) => {
  const others = [
    '1.log',
    '10.log.20240501-100000',
    '0.log.bak',
    '0.log.20240501-100000.gz.sha',
    'x0.log.20240501-100000',
  ];
  t.strictSame(planRotation('0.log', ['0.log', ...others], 2), { remove: [], compress: [] });
});

t.test('the suffix sorts by time', async (t) => {
  t.equal(timeSuffix(Date.UTC(2024, 4, 1, 9, 8, 7, 999)), '20240501-090807');
});
