import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import { hostileBodies } from './fixtures/hostile-bodies.ts';

/** What may be accepted: large, but neither deep nor with too many values. */
const acceptable = new Set([
  'json: one long string',
  'json: one long number',
  'json: spaces',
  'yaml: as many values as are allowed',
  'yaml: as many keys as are allowed',
  'yaml: one long number',
  'yaml: one long hexadecimal number',
  'yaml: one plain scalar over many lines',
]);

const script = fileURLToPath(new URL('./fixtures/decode-hostile.ts', import.meta.url));

/*
 * Measured alone on one core no row takes 0.5 s or 160 MiB. The bounds leave room for a busy machine: the deadline of
 * 2 s is the decoder's own, and starting the thread on a machine with other work comes on top.
 */
for (const name of Object.keys(hostileBodies)) {
  t.test(name, async (t) => {
    const { stdout } = await promisify(execFile)(process.execPath, [script, name], { timeout: 60_000 });
    const cost = JSON.parse(stdout);
    t.comment(stdout.trim());
    t.match(cost.outcome, acceptable.has(name) ? /^(accepted|400)/ : /^4(00|13): /);
    t.ok(cost.tookMs < 5000, `answered after ${Math.round(cost.tookMs)} ms`);
    t.ok(cost.rssGrowth < 200 * 2 ** 20, `took ${Math.round(cost.rssGrowth / 2 ** 20)} MiB`);
    t.strictSame(cost.after, { a: 'still works' }, 'the decoder works afterwards');
  });
}
