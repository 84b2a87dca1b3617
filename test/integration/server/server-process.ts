// An API server in a process of its own, to be killed: `node server-process.ts <directory> [connections]`.
import { pino } from 'pino';
import { Decoder } from '../../../src/api/decode/decode.ts';
import { kinds } from '../../../src/api/kinds.ts';
import { ApiServer } from '../../../src/server/api-server.ts';
import { Store } from '../../../src/store/store.ts';
import { systemClock } from '../../../src/util/clock.ts';
import { FakePods, fakeKubelet, tokensFor } from '../../unit/server/support.ts';

const directory = process.argv[2] ?? '';
const maxConnections = Number(process.argv[3] ?? 100);
const logger = pino({ level: 'silent' });
const store = new Store({ path: `${directory}/store.db`, logger, clock: systemClock });
store.open();
const server = new ApiServer({
  store,
  decoder: new Decoder(),
  kinds,
  podOperations: new FakePods(store),
  tokens: tokensFor(store, systemClock),
  kubelet: fakeKubelet,
  health: () => [],
  config: {
    socketPath: `${directory}/api.sock`,
    tls: undefined,
    streamIdleTimeoutMs: 60_000,
    automountServiceAccountToken: false,
    maxConnections,
  },
  nodeName: 'node-1',
  serviceNetwork: () => ({ cidr: '', family: 'IPv4' }),
  version: '0.0.0',
  logger,
  clock: systemClock,
});
await server.start();
console.log('ready');
