import { pino } from 'pino';
import t from 'tap';
import {
  ImageGarbageCollector,
  type ImageGarbageCollectorOptions,
} from '../../../src/images/image-garbage-collector.ts';
import { bytesToFree, type ImageGcPolicy } from '../../../src/images/image-gc-order.ts';
import { RuntimeError } from '../../../src/runtime/runtime-error.ts';

const MINUTE = 60_000;
const policy: ImageGcPolicy = {
  highThresholdPercent: 85,
  lowThresholdPercent: 80,
  minAgeMs: 2 * MINUTE,
  maxAgeMs: 0,
};

interface Image {
  id: string;
  pinned?: boolean;
  /** False: others have pulled or imported it. */
  isOurs?: boolean;
  /** A container, which tells so by one of its names, or the volume of a pod. */
  usedBy?: 'id' | 'digest' | 'tag' | 'volume';
  cannotBeRemoved?: boolean;
}

/** A node with images of ten bytes each, on a disk of 1000 bytes. */
function setUp(images: Image[], change: Partial<ImageGcPolicy> = {}) {
  const world = { images, nowMs: 0, availableBytes: 500, isReady: true, told: [] as string[], tidied: 0 };
  const client = {
    listImages: async () =>
      world.images.map(({ id, pinned = false }) => ({
        id,
        pinned,
        repoTags: [`${id}:tag`],
        repoDigests: [`${id}@digest`],
        size: '10',
      })),
    listContainers: async () =>
      world.images.flatMap(({ id, usedBy }) => {
        const names = { id, digest: `${id}@digest`, tag: `${id}:tag` };
        if (!usedBy || usedBy === 'volume') return [];
        return [{ imageRef: usedBy === 'tag' ? '' : names[usedBy], image: { image: names[usedBy] } }];
      }),
    removeImage: async (id: string) => {
      if (world.images.find((image) => image.id === id)?.cannotBeRemoved) {
        throw new RuntimeError('RemoveImage', 'UNKNOWN', 'in use');
      }
      world.images = world.images.filter((image) => image.id !== id);
    },
    imageStatus: async (name: string) => world.images.find(({ id }) => name === `${id}:tag`),
    imageFsInfo: async () => [{ fsId: { mountpoint: '/images' } }],
  };
  const collector = new ImageGarbageCollector({
    client: client as unknown as ImageGarbageCollectorOptions['client'],
    records: {
      get: (imageRef) =>
        world.images.find(({ id }) => id === imageRef)?.isOurs === false
          ? undefined
          : { imageRef, lastUpdatedTime: '', credentialMapping: {} },
      tidy: async () => {
        world.tidied += 1;
      },
    },
    policy: { ...policy, ...change },
    clock: { now: () => world.nowMs, monotonicMs: () => world.nowMs },
    logger: pino({ level: 'silent' }),
    diskSpace: async () => ({ capacityBytes: 1000, availableBytes: world.availableBytes }),
    volumeImages: () =>
      world.images.flatMap(({ id, usedBy }) => (usedBy === 'volume' ? [`${id}:tag`, 'not-here:tag'] : [])),
    isRuntimeReady: () => world.isReady,
    onFreeDiskSpaceFailed: (message) => world.told.push(message),
  });
  const left = () => world.images.map(({ id }) => id);
  return { collector, world, left };
}

t.test('how much is to be removed', async (t) => {
  const disk = (availableBytes: number) => ({ capacityBytes: 1000, availableBytes });
  t.equal(bytesToFree(policy, disk(500)), 0);
  t.equal(bytesToFree(policy, disk(160)), 0, 'below the high threshold');
  t.equal(bytesToFree(policy, disk(150)), 50, 'at the high threshold: down to the low one');
  t.equal(bytesToFree(policy, disk(0)), 200);
  t.equal(bytesToFree(policy, disk(2000)), 0);
  t.equal(bytesToFree({ ...policy, highThresholdPercent: 100 }, disk(0)), 0, 'turned off');
  t.equal(bytesToFree(policy, { capacityBytes: 0, availableBytes: 0 }), 0);
});

t.test('with room on the disk nothing is removed', async (t) => {
  const { collector, world, left } = setUp([{ id: 'a' }]);
  await collector.run();
  world.nowMs += 60 * MINUTE;
  await collector.run();
  t.same(left(), ['a']);
  t.equal(world.tidied, 2, 'records are looked through all the same');
});

t.test('of a full disk only images go that are unused, not pinned, not young and of our own pulling', async (t) => {
  const images: Image[] = [
    { id: 'by-id', usedBy: 'id' },
    { id: 'by-digest', usedBy: 'digest' },
    { id: 'by-tag', usedBy: 'tag' },
    { id: 'by-volume', usedBy: 'volume' },
    { id: 'pinned', pinned: true },
    { id: 'imported', isOurs: false },
    { id: 'unused' },
    { id: 'stubborn', cannotBeRemoved: true },
    { id: 'noted' },
  ];
  const { collector, world, left } = setUp(images);
  world.availableBytes = 150;
  await collector.run();
  t.equal(left().length, images.length, 'they were seen just now');
  world.nowMs += 2 * MINUTE;
  world.images.push({ id: 'young' });
  collector.noteUse('noted');
  await collector.run();
  t.same(left(), ['by-id', 'by-digest', 'by-tag', 'by-volume', 'pinned', 'imported', 'stubborn', 'noted', 'young']);
  t.match(world.told, [/Attempted to free 50 bytes, but only found 0 bytes eligible to free\.$/]);
});

t.test('the longest unused go first, and no more than are needed', async (t) => {
  const { collector, world, left } = setUp([
    { id: 'used-last' },
    { id: 'used-first' },
    { id: 'never' },
    { id: 'other' },
  ]);
  const use = (id: string) => {
    world.nowMs += MINUTE;
    for (const image of world.images) if (image.id === id) image.usedBy = 'id';
    return collector.run().then(() => {
      for (const image of world.images) delete image.usedBy;
    });
  };
  await collector.run();
  await use('used-first');
  await use('other');
  await use('used-last');
  world.nowMs += 10 * MINUTE;
  t.equal(await collector.collect(20), 20);
  t.same(left(), ['used-last', 'other']);
  t.equal(await collector.collect(1000), 20, 'all there is');
  t.same(left(), []);
});

t.test('what is unused for too long goes, also with room on the disk', async (t) => {
  const { collector, world, left } = setUp([{ id: 'a' }, { id: 'b', usedBy: 'id' }], { maxAgeMs: 60 * MINUTE });
  await collector.run();
  world.nowMs += 60 * MINUTE;
  await collector.run();
  t.same(left(), ['a', 'b']);
  world.nowMs += 1;
  await collector.run();
  t.same(left(), ['b']);
});

t.test('a disk that stays too full is told of once an hour, and at once when it is again', async (t) => {
  const { collector, world } = setUp([{ id: 'imported', isOurs: false }]);
  const toldIn = async (minutes: number) => {
    const before = world.told.length;
    for (let minute = 0; minute < minutes; minute += 5) {
      // What others write changes the numbers.
      world.availableBytes = 100 + (minute % 50);
      await collector.run();
      world.nowMs += 5 * MINUTE;
    }
    return world.told.length - before;
  };
  t.equal(await toldIn(60), 1);
  t.equal(await toldIn(120), 2);
  world.availableBytes = 500;
  await collector.run();
  t.equal(await toldIn(10), 1);
});

t.test('a runtime that is away is not asked', async (t) => {
  const { collector, world } = setUp([{ id: 'a' }]);
  world.isReady = false;
  collector.start();
  collector.stop();
  await collector.collect(0);
  t.equal(world.tidied, 1, 'only as it was called for');
});
