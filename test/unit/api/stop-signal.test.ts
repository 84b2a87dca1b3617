import t from 'tap';
import { fromCriSignal, signalNumber, toCriSignal } from '../../../src/api/stop-signal.ts';

t.test("signals have the kernel's numbers, the real-time ones from either end", async (t) => {
  const names = ['SIGTERM', 'SIGUSR1', 'SIGPOLL', 'SIGRTMIN', 'SIGRTMIN+15', 'SIGRTMAX-14', 'SIGRTMAX'];
  t.strictSame(names.map(signalNumber), [15, 10, 29, 34, 49, 50, 64]);
});

t.test('what Kubernetes does not allow is no signal', async (t) => {
  for (const name of [
    '',
    'TERM',
    'sigterm',
    '15',
    'SIGRTMIN-1',
    'SIGRTMIN+16',
    'SIGRTMAX-15',
    'SIGRTMAX+1',
    'toString',
  ]) {
    t.equal(signalNumber(name), undefined, name);
  }
});

t.test("CRI's words lead back to Kubernetes'", async (t) => {
  t.equal(toCriSignal('SIGRTMIN+3'), 'SIGRTMINPLUS3');
  for (const name of ['SIGUSR2', 'SIGRTMIN+3', 'SIGRTMAX-1']) t.equal(fromCriSignal(toCriSignal(name)), name);
  t.equal(fromCriSignal('RUNTIME_DEFAULT'), undefined);
});
