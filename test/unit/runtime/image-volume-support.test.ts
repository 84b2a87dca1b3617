import t from 'tap';
import { imageVolumeSupport, type RuntimeHealth } from '../../../src/runtime/runtime-monitor.ts';

const ready = { status: true, reason: '', message: '' };

function up(name: string, version: string): RuntimeHealth {
  const conditions = { runtimeReady: ready, networkReady: ready };
  return { state: 'up', name, version, ...conditions, supplementalGroupsPolicy: true, handlers: [] };
}

t.test('what a runtime makes of the volumes of images, by its version', async (t) => {
  const table: [string, string, string][] = [
    ['containerd', '1.6.20~ds1', 'none'],
    ['containerd', 'v2.0.5', 'none'],
    ['containerd', 'v2.1.0-beta.0', 'whole'],
    ['containerd', '2.1.4', 'whole'],
    ['containerd', 'v2.2.0', 'subPath'],
    ['containerd', 'v10.0.1', 'subPath'],
    ['cri-o', '1.30.9', 'none'],
    ['cri-o', '1.31.0', 'whole'],
    ['cri-o', '1.33.1', 'subPath'],
    ['containerd', 'unknown', 'none'],
    ['other', '9.9.9', 'none'],
  ];
  for (const [name, version, support] of table) {
    t.equal(imageVolumeSupport(up(name, version)), support, `${name} ${version}`);
  }
  t.equal(imageVolumeSupport({ state: 'down', message: '' }), 'none');
});
