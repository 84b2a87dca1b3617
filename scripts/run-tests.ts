import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import t from 'tap';

// usage: node scripts/run-tests.ts [--jobs=N] [--timeout=SECONDS] FILE...
//
// Runs test files as the command `tap` does, and prints their TAP, but without the hooks by which tap measures what the
// tests cover: with them each file takes as long again to start.

const { values, positionals: files } = parseArgs({
  options: { jobs: { type: 'string' }, timeout: { type: 'string', default: '300' } },
  allowPositionals: true,
});
t.jobs = Number(values.jobs ?? availableParallelism());
t.setTimeout(0);
for (const file of files) {
  // t.spawn puts the hooks into NODE_OPTIONS.
  t.spawn('env', ['-u', 'NODE_OPTIONS', process.execPath, file], {
    name: file,
    buffered: t.jobs > 1,
    timeout: Number(values.timeout) * 1000,
    env: { ...process.env, TAP_TIMEOUT: values.timeout },
    // Where a file failed is told by its own assertions.
    at: null,
    stack: '',
  });
}
