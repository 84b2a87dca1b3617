import t from 'tap';
import type { LifecycleHandler } from '../../../src/api/pod.ts';
import { type HookTarget, runHandler } from '../../../src/hooks/run-handler.ts';
import type { HttpTarget } from '../../../src/probes/http-target.ts';
import { NetworkError } from '../../../src/probes/network-client.ts';

const target: HookTarget = {
  containerId: 'c1',
  containerName: 'a',
  podIP: '10.0.0.2',
  ports: [{ name: 'web', containerPort: 8080, protocol: 'TCP' }],
};

/** Runs a handler against a network that fails as told, and tells what was asked. */
async function run(handler: LifecycleHandler, failures: (Error | undefined)[] = [], change: Partial<HookTarget> = {}) {
  const asked: string[] = [];
  const next = async () => {
    const failure = failures.shift();
    if (failure) throw failure;
  };
  const network = {
    httpGet: async ({ scheme, host, port, path, headers }: HttpTarget) => {
      asked.push(`${scheme}://${host}:${port}${path} ${headers.includes('secret') ? 'with' : 'without'} credentials`);
      await next();
      return { statusCode: 500, body: '' };
    },
    tcpConnect: async (host: string, port: number) => {
      asked.push(`${host}:${port}`);
      await next();
    },
  };
  const client = { execSync: () => Promise.reject(new Error('no command here')) };
  const result = await runHandler({ client, network }, handler, { ...target, ...change }, new AbortController().signal);
  return { result, asked };
}

const https: LifecycleHandler = {
  httpGet: { port: 443, path: '/x', scheme: 'HTTPS', httpHeaders: [{ name: 'authorization', value: 'secret' }] },
};
const notTls = new NetworkError('x', Object.assign(new Error('x'), { code: 'ERR_SSL_WRONG_VERSION_NUMBER' }));

t.test('ports are found by name, hosts default to the pod', async (t) => {
  t.strictSame((await run({ tcpSocket: { port: 'web' } })).asked, ['10.0.0.2:8080']);
  t.strictSame((await run({ tcpSocket: { port: 1, host: 'there' } })).asked, ['there:1']);
  await t.rejects(run({ tcpSocket: { port: 'none' } }), /no port named none/);
  await t.rejects(run({ httpGet: { port: 1 } }, [], { podIP: undefined }), /no address/);
});

t.test('any answer is a success', async (t) => {
  t.same((await run({ httpGet: { port: 'web' } })).result, {});
  await t.resolves(run({ httpGet: { port: 'web' } }, [new NetworkError('cut off', undefined, true)]));
  await t.rejects(run({ httpGet: { port: 'web' } }, [new NetworkError('refused', undefined)]), /refused/);
});

t.test('a server that answers HTTPS in HTTP is asked so, without credentials', async (t) => {
  const { result, asked } = await run(https, [notTls]);
  t.same(result, { fellBackAt: '10.0.0.2:443' });
  t.strictSame(asked, ['https://10.0.0.2:443/x with credentials', 'http://10.0.0.2:443/x without credentials']);
  await t.rejects(run(https, [notTls, new NetworkError('refused', undefined)]), /refused/);
  await t.rejects(run(https, [new NetworkError('refused', undefined)]), /refused/);
});

t.test('a hook that says nothing fails', async (t) => {
  await t.rejects(run({}), /no handler/);
});
