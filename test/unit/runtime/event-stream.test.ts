import { pino } from 'pino';
import t from 'tap';
import { EventStream, parseContainerdEvent, type RuntimeEvent } from '../../../src/runtime/event-stream.ts';
import { RuntimeError } from '../../../src/runtime/runtime-error.ts';

const id = 'c'.repeat(64);
const field = (number: number, text: string) =>
  Buffer.concat([Buffer.from([(number << 3) | 2, text.length]), Buffer.from(text)]);
const envelope = (topic: string, value: Buffer) => ({
  namespace: 'k8s.io',
  topic,
  event: { type_url: '', typeUrl: '', value },
});

const rows: readonly [string, string, Buffer, RuntimeEvent | undefined][] = [
  ['the end of a container', '/tasks/exit', Buffer.concat([field(1, id), field(2, id)]), { id, kind: 'exited' }],
  ['the end of an exec in a container', '/tasks/exit', Buffer.concat([field(1, id), field(2, 'exec-1')]), undefined],
  ['a start', '/tasks/start', Buffer.concat([field(1, id), Buffer.from([0x10, 42])]), { id, kind: 'started' }],
  ['a removal', '/containers/delete', field(1, id), { id, kind: 'deleted' }],
  ['something else', '/images/create', field(1, id), undefined],
  ['nothing', '/tasks/exit', Buffer.alloc(0), undefined],
  ['rubbish', '/tasks/exit', Buffer.from([0xff, 0xff, 0xff]), undefined],
];
for (const [name, topic, payload, expected] of rows) {
  t.test(`containerd tells of ${name}`, async (t) => {
    t.same(parseContainerdEvent(envelope(topic, payload)), expected);
  });
}

t.test('a runtime without CRI events is followed by containerd events, and a break is told as a gap', async (t) => {
  const seen: string[] = [];
  let opened = 0;
  const stopped = Promise.withResolvers<void>();
  const stream = new EventStream({
    logger: pino({ level: 'silent' }),
    client: {
      containerEvents: async () => {
        throw new RuntimeError('GetContainerEvents', 'UNIMPLEMENTED', '');
      },
      containerdEvents: async (_filters, onEvent, signal) => {
        opened += 1;
        onEvent(envelope('/tasks/exit', Buffer.concat([field(1, id), field(2, id)])));
        if (opened === 1) throw new RuntimeError('Subscribe', 'UNAVAILABLE', 'connection lost');
        stopped.resolve();
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
      },
    },
    onEvent: (event) => seen.push(event.kind),
    onGap: () => seen.push('gap'),
  });
  stream.start();
  await stopped.promise;
  await stream.stop();
  t.same(seen, ['gap', 'gap', 'exited', 'gap', 'gap', 'exited']);
});
