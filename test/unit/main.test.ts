import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

function miniKubelet(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...args], (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

t.test('--help and --version', async (t) => {
  t.match(await miniKubelet('--help'), { code: 0, stdout: /^mini-kubelet runs Kubernetes pods/, stderr: '' });
  t.match(await miniKubelet('--version'), { code: 0, stdout: /^\d+\.\d+\.\d+\n$/ });
});

t.test('config check and config print', async (t) => {
  const directory = t.testdir({ 'good.yaml': 'maxPods: 3\n', 'bad.yaml': 'maxPods: 0\nmaxPod: 1\n' });
  t.match(await miniKubelet('config', 'check', '-c', `${directory}/good.yaml`), { code: 0, stderr: '' });
  t.match(await miniKubelet('config', 'print', '-c', `${directory}/good.yaml`), { code: 0, stdout: /^maxPods: 3$/m });
  const bad = await miniKubelet('config', 'check', '-c', `${directory}/bad.yaml`);
  t.equal(bad.code, 78);
  t.match(bad.stderr, /bad.yaml:1: maxPods must be .*\n.*bad.yaml:2: there is no setting maxPod/);
});

t.test('what is written to a terminal cannot command it', async (t) => {
  const title = '\u001b]0;x\u0007\u009b2J\u007f';
  // As YAML writes them.
  const directory = t.testdir({ 'bad.yaml': '"maxPod\\e[2J\\x9b2J": 1\nnodeName: "a\\e[2J\\x9b2J"\n' });
  const answers = [
    await miniKubelet(`--max-pod${title}`),
    await miniKubelet('config', 'check', '-c', `${directory}/bad.yaml`),
    await miniKubelet('config', 'print', `--state-dir=${directory}/${title}`),
    await miniKubelet('token', 'revoke', title, `--state-dir=${directory}`),
  ];
  for (const { stdout, stderr } of answers) {
    t.match(stdout + stderr, /\\u009b/);
    t.notMatch(stdout + stderr, /[^\P{Cc}\n\t]/u);
  }
});

t.test('a wrong command line', async (t) => {
  t.match(await miniKubelet('--max-pod', '3'), {
    code: 2,
    stdout: '',
    stderr: /no flag --max-pod, did you mean --max-pods/,
  });
});
