import { Metadata, type ServiceError, status } from '@grpc/grpc-js';
import t from 'tap';
import { isNotFound, toRuntimeError } from '../../../src/runtime/runtime-error.ts';

function failure(code: status, details: string): ServiceError {
  return Object.assign(new Error(`${code}: ${details}`), { code, details, metadata: new Metadata() });
}

t.test('a failure of the runtime is told in its own words', async (t) => {
  const error = toRuntimeError('StopContainer', failure(status.NOT_FOUND, 'no such container'));
  t.match(error, { code: 'NOT_FOUND', details: 'no such container', message: 'StopContainer: no such container' });
  t.ok(isNotFound(error));
});

t.test('a runtime that cannot be reached is told without the frame of the gRPC library', async (t) => {
  const details =
    'No connection established. Last error: Error: connect ENOENT /run/containerd/containerd.sock. Resolution note: ';
  const error = toRuntimeError('Status', failure(status.UNAVAILABLE, details));
  t.equal(error.details, 'no connection: connect ENOENT /run/containerd/containerd.sock');
  t.ok(error.isUnavailable);
});
