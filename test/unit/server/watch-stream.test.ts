import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import t from 'tap';
import { WatchStream, type WatchStreamLimits } from '../../../src/server/watch-stream.ts';

const limits: WatchStreamLimits = { maxEvents: 5, maxBytes: 100, stallMs: 1_000_000 };

/** A client that reads as much as it is told to. */
class FakeResponse extends EventEmitter {
  readonly written: string[] = [];
  destroyed = false;
  ended = false;
  /** How many more writes the kernel takes. */
  room: number;

  constructor(room: number) {
    super();
    this.room = room;
  }

  write(bytes: Buffer): boolean {
    this.written.push(bytes.toString());
    this.room -= 1;
    return this.room > 0;
  }

  read(room: number): void {
    this.room = room;
    this.emit('drain');
  }

  end(): void {
    this.ended = true;
  }

  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }
}

function begin(room: number, options = limits): { client: FakeResponse; stream: WatchStream } {
  const client = new FakeResponse(room);
  const stream = new WatchStream(client as unknown as ServerResponse, options);
  return { client, stream };
}

t.test('a client that keeps up gets everything at once and in order', async (t) => {
  const { client, stream } = begin(100);
  stream.sendInitial(() => Buffer.from('a'));
  stream.send(Buffer.from('b'));
  stream.send(Buffer.from('c'));
  t.same(client.written, ['a', 'b', 'c']);
});

t.test('for a client that is slow at first nothing is made before it reads', async (t) => {
  const { client, stream } = begin(1);
  let made = 0;
  for (const text of ['a', 'b', 'c']) {
    stream.sendInitial(() => {
      made += 1;
      return Buffer.from(text);
    });
  }
  stream.send(Buffer.from('live'));
  t.equal(made, 1);
  client.read(2);
  t.equal(made, 3);
  client.read(10);
  t.same(client.written, ['a', 'b', 'c', 'live']);
});

t.test('a client that falls behind too far is cut off', async (t) => {
  const many = begin(1);
  for (let i = 0; i < 6; i++) many.stream.send(Buffer.from(`${i}`));
  t.notOk(many.client.destroyed, 'one is under way, five wait');
  many.stream.send(Buffer.from('6'));
  t.ok(many.client.destroyed);
  t.same(many.client.written, ['0']);

  const big = begin(1);
  big.stream.send(Buffer.from('first'));
  big.stream.send(Buffer.alloc(101));
  t.ok(big.client.destroyed);
});

t.test('what waited and was read no longer counts', async (t) => {
  const { client, stream } = begin(1);
  for (let i = 0; i < 100; i++) {
    stream.send(Buffer.from(`${i}`));
    client.read(1);
  }
  t.notOk(client.destroyed);
  t.equal(client.written.length, 100);
});

t.test('the end comes after everything has been read', async (t) => {
  const { client, stream } = begin(1);
  stream.send(Buffer.from('a'));
  stream.send(Buffer.from('b'));
  stream.end();
  stream.send(Buffer.from('too late'));
  t.notOk(client.ended);
  client.read(5);
  t.ok(client.ended);
  t.same(client.written, ['a', 'b']);
});

t.test('a client that takes nothing for too long is cut off, one that reads is not', async (t) => {
  const { client } = (() => {
    const made = begin(1, { ...limits, stallMs: 1 });
    made.stream.send(Buffer.from('a'));
    return made;
  })();
  // The stream's own timer keeps no process alive.
  const alive = setTimeout(() => t.fail('never cut off'), 10_000);
  await new Promise((resolve) => client.once('close', resolve));
  clearTimeout(alive);
  t.ok(client.destroyed);
});
