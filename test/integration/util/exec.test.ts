import t from 'tap';
import { ExecError, run } from '../../../src/util/exec.ts';
import { isAlive } from '../support/processes.ts';
import { waitFor } from '../support/wait.ts';

/** A program whose child tells its pid and holds the output open for ever. */
const program = ['-c', 'sleep 1000000 & echo $!; exec sleep 1000000'];

async function childOf(failure: unknown): Promise<number> {
  if (!(failure instanceof ExecError)) throw failure;
  return Number((failure.cause as { stdout: string }).stdout);
}

t.test('at the deadline a program is killed with all that it has started', async (t) => {
  const failure = await run('sh', program, { timeoutMs: 500, withChildren: true }).catch((error: unknown) => error);
  const child = await childOf(failure);
  t.ok(child > 1);
  await waitFor('its child to be gone', () => !isAlive(child));
});

t.test('so it is when it is called off', async (t) => {
  const signal = AbortSignal.timeout(500);
  const failure = await run('sh', program, { signal, withChildren: true }).catch((error: unknown) => error);
  const child = await childOf(failure);
  t.ok(child > 1);
  await waitFor('its child to be gone', () => !isAlive(child));
});
