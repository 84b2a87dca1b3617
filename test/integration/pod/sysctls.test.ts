import { readFileSync } from 'node:fs';
import t from 'tap';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { waitFor } from '../support/wait.ts';
import { podManifest, shell } from './pods.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const daemon = await startDaemon({ runtime, config: { allowedUnsafeSysctls: ['kernel.msg*', 'net.core.somaxconn'] } });
t.teardown(() => daemon.stop());

const onHost = () =>
  ['net/ipv4/tcp_syncookies', 'net/ipv4/ip_local_port_range', 'kernel/msgmax', 'kernel/core_pattern'].map((name) =>
    readFileSync(`/proc/sys/${name}`, 'utf8'),
  );
const before = onHost();

t.test('a pod has its own, safe ones and those that the configuration allows', async (t) => {
  const sysctls = {
    'net/ipv4/tcp_syncookies': '2',
    'net.ipv4.ip_local_port_range': '40000 50000',
    'kernel.shm_rmid_forced': '1',
    'kernel.msgmax': '4096',
    'net.core.somaxconn': '99',
  };
  const paths = Object.keys(sysctls).map((name) => `/proc/sys/${name.replaceAll('.', '/')}`);
  await daemon.createPod(
    podManifest('tuned', [{ name: 'a', command: shell(`cat ${paths.join(' ')} | tr '\\t' ' '; echo done`) }], {
      securityContext: { sysctls: Object.entries(sysctls).map(([name, value]) => ({ name, value })) },
    }),
  );
  const log = await waitFor('its log', async () => {
    const text = await daemon.containerLog('tuned', 'a');
    return text.includes('done') ? text : undefined;
  });
  t.strictSame(log.trimEnd().split('\n'), [...Object.values(sysctls), 'done']);
  await daemon.deletePod('tuned');
});

t.test("what is not a pod's own is forbidden at admission", async (t) => {
  const names = ['kernel.core_pattern', 'net.ipv4.ip_forward', 'vm.swappiness', 'kernel/core_pattern', 'kernel.shmmax'];
  for (const [index, name] of names.entries()) {
    await daemon.createPod(
      podManifest(`bad-${index}`, [{ name: 'a', command: shell('') }], {
        securityContext: { sysctls: [{ name, value: '1' }] },
      }),
    );
  }
  for (const [index, name] of names.entries()) {
    const pod = await daemon.waitForExistingPod(`bad-${index}`, ({ status }) => status?.phase === 'Failed');
    t.match(pod.status, {
      reason: 'SysctlForbidden',
      message: `Pod was rejected: forbidden sysctl: "${name}" not allowlisted`,
    });
    await daemon.deletePod(`bad-${index}`);
  }
});

t.test('a value cannot bring a second sysctl along', async (t) => {
  for (const value of ['1+kernel.core_pattern=|/x', '1\nkernel.core_pattern=|/x', '1\0']) {
    const manifest = podManifest('evil', [{ name: 'a' }], {
      securityContext: { sysctls: [{ name: 'kernel.shm_rmid_forced', value }] },
    });
    const response = await daemon.api.request('POST', '/api/v1/namespaces/default/pods', { body: manifest });
    t.equal(response.status, 422);
    t.match(response.text, 'spec.securityContext.sysctls[0].value');
  }
  t.strictSame(onHost(), before, "the host's own are as they were");
});
