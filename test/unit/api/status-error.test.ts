import t from 'tap';
import { required } from '../../../src/api/field-error.ts';
import * as status from '../../../src/api/status-error.ts';

const pods = { group: '', plural: 'pods' };

t.test('failures are Status objects with the words of Kubernetes', async (t) => {
  const table: [status.StatusError, number, string, string][] = [
    [status.notFound(pods, 'web'), 404, 'NotFound', 'pods "web" not found'],
    [status.notFound({ group: 'apps', plural: 'deployments' }, 'd'), 404, 'NotFound', 'deployments.apps "d" not found'],
    [status.alreadyExists(pods, 'web'), 409, 'AlreadyExists', 'pods "web" already exists'],
    [
      status.conflict(pods, 'web'),
      409,
      'Conflict',
      'Operation cannot be fulfilled on pods "web": the object has been modified; please apply your changes to the latest version and try again',
    ],
    [status.badRequest('no'), 400, 'BadRequest', 'no'],
    [status.expired('too old'), 410, 'Expired', 'too old'],
    [status.unauthorized(), 401, 'Unauthorized', 'Unauthorized'],
    [status.requestEntityTooLarge(3), 413, 'RequestEntityTooLarge', 'Request entity too large: limit is 3'],
    [status.internalError('boom'), 500, 'InternalError', 'Internal error occurred: boom'],
    [status.tooManyRequests('busy', 1), 429, 'TooManyRequests', 'Too many requests: busy'],
  ];
  for (const [error, code, reason, message] of table) {
    t.match(error.status, { apiVersion: 'v1', kind: 'Status', status: 'Failure', code, reason, message });
    t.equal(error.message, message);
    t.equal(error.code, code);
  }
});

t.test('an invalid object gets all causes, and one sentence for people', async (t) => {
  const errors = [required('spec.a'), required('spec.b'), required('spec.b')];
  const { status: body } = status.invalid({ group: '', kind: 'Pod' }, 'web', errors);
  t.equal(body.message, 'Pod "web" is invalid: [spec.a: Required value, spec.b: Required value]');
  t.equal(body.details?.causes?.length, 3);
  t.match(body, { code: 422, reason: 'Invalid', details: { name: 'web', kind: 'Pod' } });
  t.equal(
    status.invalid({ group: '', kind: 'Pod' }, 'web', [required('spec.a')]).message,
    'Pod "web" is invalid: spec.a: Required value',
  );
});
