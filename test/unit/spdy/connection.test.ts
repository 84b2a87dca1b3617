import { type Duplex, duplexPair } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import t from 'tap';
import { SpdyConnection, type SpdyStream } from '../../../src/spdy/connection.ts';
import { controlFrame, dataHeader, FRAME } from '../../../src/spdy/frames.ts';
import { HeaderEncoder } from '../../../src/spdy/header-block.ts';
import { socketTransport } from '../../../src/spdy/transport.ts';

interface Peer {
  readonly connection: SpdyConnection;
  /** What happened, as words. */
  readonly events: string[];
  readonly streams: SpdyStream[];
}

function listen(stream: SpdyStream, events: string[]): void {
  stream.handle({
    onData: (piece) => void events.push(`${stream.id} data ${piece.length > 20 ? piece.length : piece}`),
    onEnd: () => void events.push(`${stream.id} end`),
    onReset: () => void events.push(`${stream.id} reset`),
  });
}

function peer(socket: Duplex, role: 'client' | 'server', maxStreams = 3): Peer {
  const connection = new SpdyConnection(socketTransport(socket), { role, maxStreams });
  const events: string[] = [];
  const streams: SpdyStream[] = [];
  connection.start({
    onStream: (stream) => {
      streams.push(stream);
      events.push(`${stream.id} open ${stream.headers.get('streamtype')}`);
      listen(stream, events);
    },
    onDrain: () => void events.push('drain'),
    onEnd: () => {
      events.push('end');
      connection.end();
    },
    onClose: (error) => void events.push(`close ${error?.message ?? ''}`.trim()),
  });
  return { connection, events, streams };
}

const named = (name: string) => new Map([['streamtype', name]]);

/** Lets everything that is under way arrive. */
async function settle(): Promise<void> {
  for (let index = 0; index < 20; index += 1) await turn();
}

function pair() {
  const [left, right] = duplexPair();
  return { client: peer(left, 'client'), server: peer(right, 'server'), left, right };
}

/** A server, and a socket on which a test plays the client. */
function rawClient() {
  const [raw, socket] = duplexPair();
  const received: Buffer[] = [];
  raw.on('data', (chunk: Buffer) => received.push(chunk));
  raw.on('error', () => {});
  return { raw, server: peer(socket, 'server'), received: () => Buffer.concat(received) };
}

t.test('streams go both ways, and each direction ends by itself', async (t) => {
  const { client, server } = pair();
  const stream = client.connection.openStream(named('stdin'));
  listen(stream, client.events);
  stream.write(Buffer.from('hello'));
  stream.end();
  stream.write(Buffer.from('too late'));
  await settle();
  t.same(server.events, ['1 open stdin', '1 data hello', '1 end']);
  server.streams[0]?.write(Buffer.from('answer'));
  server.streams[0]?.end();
  await settle();
  t.same(client.events, ['1 data answer', '1 end']);
  client.connection.openStream(named('error')).reset();
  await settle();
  t.same(server.events.slice(3), ['3 open error', '3 reset']);
  client.connection.end();
  await settle();
  t.same(server.events.slice(5), ['end', 'close']);
  t.same(client.events.slice(2), ['end', 'close']);
});

t.test(
  'a place is free again when both directions have ended, and more than there are places is refused',
  async (t) => {
    const { client, server } = pair();
    const opened = Array.from({ length: 4 }, (_, index) => client.connection.openStream(named(`n${index}`)));
    for (const stream of opened) listen(stream, client.events);
    await settle();
    t.same(client.events, ['7 reset']);
    opened[0]?.end();
    server.streams[0]?.end();
    await settle();
    listen(client.connection.openStream(named('next')), client.events);
    await settle();
    t.same(server.events.at(-1), '9 open next');
  },
);

t.test('who writes faster than the other reads is told so, and when there is room again', async (t) => {
  const { client, server } = pair();
  server.connection.pause();
  const stream = client.connection.openStream(named('data'));
  let written = 0;
  while (stream.write(Buffer.alloc(16_384))) written += 1;
  t.ok(written < 50, `${written} writes`);
  t.same(server.events, []);
  server.connection.resume();
  await settle();
  t.ok(client.events.includes('drain'));
  const bytes = server.events.slice(1).reduce((sum, event) => sum + Number(event.split(' ')[2]), 0);
  t.equal(bytes, (written + 1) * 16_384);
});

t.test('pings of the peer come back, ours and those of nobody do not', async (t) => {
  const { raw, received } = rawClient();
  raw.write(controlFrame(FRAME.ping, 0, 5));
  raw.write(controlFrame(FRAME.ping, 0, 6));
  raw.write(controlFrame(FRAME.windowUpdate, 0, 1, 1000));
  raw.write(controlFrame(FRAME.settings, 0, 0));
  raw.write(controlFrame(77, 0));
  await settle();
  t.same(received(), controlFrame(FRAME.ping, 0, 5));
});

t.test('a stream is answered before anything is written on it', async (t) => {
  const { raw, received, server } = rawClient();
  raw.write(controlFrame(FRAME.synStream, 0, 1, 0, Buffer.alloc(2), new HeaderEncoder().encode(named('x'))));
  await settle();
  server.streams[0]?.end();
  await settle();
  t.equal(received().readUInt32BE(0), 0x80030002);
});

t.test('whoever does not keep to the protocol is cut off, with no word to the streams', async (t) => {
  const syn = (id: number) =>
    controlFrame(FRAME.synStream, 0, id, 0, Buffer.alloc(2), new HeaderEncoder().encode(named('x')));
  const cases: [string, Buffer, RegExp][] = [
    ['a stream of ours', syn(2), /stream 2 may not be opened/],
    ['stream 0', syn(0), /no stream 0/],
    ['a short frame', controlFrame(FRAME.synStream, 0, 1), /cut off/],
    ['a short reset', controlFrame(FRAME.rstStream, 0, 1), /cut off/],
    ['a bad block', controlFrame(FRAME.synStream, 0, 1, 0, Buffer.alloc(12)), /compressed/],
    ['an ancient version', Buffer.from('8002000100000000', 'hex'), /version/],
  ];
  for (const [name, bytes, message] of cases) {
    const { raw, server } = rawClient();
    raw.write(bytes);
    await settle();
    t.match(server.events.at(-1), message, name);
    t.match(server.events.at(-1), /^close SPDY: /, name);
  }
  const { raw, server } = rawClient();
  raw.write(syn(3));
  raw.write(syn(1));
  await settle();
  t.same(server.events, ['3 open x', 'close SPDY: headers cannot be unpacked: invalid stored block lengths']);
});

t.test('data for nobody is passed over', async (t) => {
  const { raw, server, received } = rawClient();
  raw.write(Buffer.concat([dataHeader(99, 3, false), Buffer.from('abc'), controlFrame(FRAME.ping, 0, 1)]));
  await settle();
  t.same(server.events, []);
  t.same(received(), controlFrame(FRAME.ping, 0, 1));
});

t.test('a peer that only sends, and reads no answer, is cut off before it fills the memory', async (t) => {
  const [raw, socket] = duplexPair();
  const server = peer(socket, 'server');
  raw.on('error', () => {});
  const pings = Buffer.concat(Array.from({ length: 10_000 }, () => controlFrame(FRAME.ping, 0, 1)));
  for (let index = 0; index < 100 && !server.connection.isClosed; index += 1) {
    raw.write(pings);
    await settle();
  }
  t.match(server.events.at(-1), /the peer does not read/);
});

t.test('a connection that breaks says so once', async (t) => {
  const { client, server, right } = pair();
  client.connection.openStream(named('x'));
  await settle();
  right.destroy(new Error('cable cut'));
  await settle();
  t.same(server.events, ['1 open x', 'close cable cut']);
  t.equal(client.events.filter((event) => event.startsWith('close')).length <= 1, true);
  client.connection.openStream(named('y')).write(Buffer.from('into the void'));
});
