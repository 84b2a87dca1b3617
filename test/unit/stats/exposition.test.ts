import t from 'tap';
import { expositionText } from '../../../src/stats/exposition.ts';

t.test('families, samples, labels and times', async (t) => {
  const text = expositionText([
    {
      name: 'a_total',
      type: 'counter',
      help: 'Of a.',
      samples: [{ labels: { x: '1', y: '' }, value: 0.5, atMs: 7.2 }],
    },
    { name: 'none', type: 'gauge', help: 'Without samples.', samples: [] },
    { name: 'b', type: 'gauge', help: 'Of b.', samples: [{ value: 1e21 }] },
  ]);
  t.equal(
    text,
    '# HELP a_total Of a.\n# TYPE a_total counter\na_total{x="1",y=""} 0.5 7\n# HELP b Of b.\n# TYPE b gauge\nb 1e+21\n',
  );
});

t.test('what a label holds cannot end it', async (t) => {
  const labels = { image: 'a"} 1\nb\\' };
  const text = expositionText([{ name: 'a', type: 'gauge', help: 'h', samples: [{ labels, value: 1 }] }]);
  t.ok(text.endsWith('a{image="a\\"} 1\\nb\\\\"} 1\n'), text);
});
