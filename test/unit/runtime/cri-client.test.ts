import * as grpc from '@grpc/grpc-js';
import t from 'tap';
import { CriClient } from '../../../src/runtime/cri-client.ts';
import { loadProto } from '../../../src/runtime/proto.ts';

const endpoint = `unix://${t.testdir()}/runtime.sock`;
/** When the runtime gives up, before the deadline. */
let earlyMs = 0;

const server = new grpc.Server();
server.addService(loadProto().runtime.v1.RuntimeService.service, {
  Version: (call: grpc.ServerUnaryCall<unknown, unknown>, answer: grpc.sendUnaryData<unknown>) => {
    const deadline = Number(call.getDeadline());
    setTimeout(
      () => answer({ code: grpc.status.CANCELLED, details: 'context canceled' }),
      deadline - earlyMs - Date.now(),
    );
  },
});
await new Promise<void>((resolve, reject) => {
  server.bindAsync(endpoint, grpc.ServerCredentials.createInsecure(), (error) => (error ? reject(error) : resolve()));
});
t.teardown(() => server.forceShutdown());
const client = new CriClient({ endpoint });
t.teardown(() => client.close());

t.test('a call that the runtime ends at its deadline has met the deadline', async (t) => {
  earlyMs = 20;
  await t.rejects(client.version({ timeoutMs: 300 }), { code: 'DEADLINE_EXCEEDED', details: 'Deadline exceeded' });
});

t.test('a call that the runtime cancels long before is told as it is', async (t) => {
  earlyMs = 30_000;
  await t.rejects(client.version({ timeoutMs: 30_000 }), { code: 'CANCELLED', details: 'context canceled' });
});

t.test('a call that was given up at its deadline is cancelled', async (t) => {
  earlyMs = -10_000;
  await t.rejects(client.version({ timeoutMs: 10_000, signal: AbortSignal.timeout(50) }), { code: 'CANCELLED' });
});
