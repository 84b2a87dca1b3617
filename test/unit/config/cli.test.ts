import t from 'tap';
import { helpText, parseCommand, type UsageError } from '../../../src/config/cli.ts';
import { settingFlags } from '../../../src/config/flags.ts';

function values(...argv: string[]): Record<string, unknown> {
  const command = parseCommand(argv);
  if (command.kind === 'help' || command.kind === 'version') return {};
  return Object.fromEntries(command.flags.map(({ path, value }) => [path.join('.'), value]));
}

t.test('commands', async (t) => {
  t.equal(parseCommand([]).kind, 'run');
  t.equal(parseCommand(['--help']).kind, 'help');
  t.equal(parseCommand(['config', 'check', '-h']).kind, 'help');
  t.equal(parseCommand(['-V']).kind, 'version');
  t.match(parseCommand(['config', 'check', '-c', '/a.yaml']), { kind: 'config check', configFile: '/a.yaml' });
  t.match(parseCommand(['--config=/a.yaml', 'config', 'print']), { kind: 'config print', configFile: '/a.yaml' });
});

t.test('commands that give somebody a way in', async (t) => {
  t.match(parseCommand(['cert', '--name=alice', '--groups', 'dev,ops', '--groups=x', '--out', '/k', '--days=7']), {
    kind: 'cert',
    identity: { user: 'alice', groups: ['dev', 'ops', 'x'] },
    days: 7,
    out: '/k',
  });
  t.match(parseCommand(['token', 'create', '--name', 'ci', '--expires', '2d', '--state-dir=/s']), {
    kind: 'token create',
    identity: { user: 'ci', groups: [] },
    lifeMs: 2 * 24 * 3_600_000,
    flags: [{ flag: 'state-dir' }],
  });
  t.equal(parseCommand(['token', 'list']).kind, 'token list');
  t.match(parseCommand(['token', 'revoke', 'abc']), { kind: 'token revoke', id: 'abc' });
  for (const [argv, why] of [
    [['cert'], '--name is missing'],
    [['cert', '--name='], '"" is no name'],
    [['cert', '--name=a', '--groups=a\nb'], 'is no name'],
    [['cert', '--name=a', '--days=0'], '--days must be'],
    [['cert', '--name=a', '--expires=1d'], '--expires does not belong to cert'],
    [['token', 'create', '--name=a', '--expires=never'], '--expires must be'],
    [['token', 'create', '--name=a', '--expires=1s'], '--expires must be'],
    [['token', 'revoke'], 'token revoke needs the id'],
    [['token', 'revoke', 'a', 'b'], 'there is no command "token revoke b"'],
    [['--name=a'], '--name does not belong to the daemon'],
    [['config', 'print', '--groups=a'], '--groups does not belong to config print'],
  ] as [string[], string][]) {
    t.throws(() => parseCommand(argv), { name: 'UsageError', message: new RegExp(why) }, argv.join(' '));
  }
});

t.test('flags have the types of their settings', async (t) => {
  t.strictSame(
    values(
      '--max-pods=3',
      '--no-seccomp-default',
      '--serialize-image-pulls',
      '--cluster-dns',
      'a,b',
      '--cluster-dns=c',
    ),
    { maxPods: 3, seccompDefault: false, serializeImagePulls: true, clusterDNS: ['a', 'b', 'c'] },
  );
  t.strictSame(
    values('--eviction-hard=memory.available<1Gi,nodefs.available=5%', '--kube-reserved=', '--pod-pids-limit=-1'),
    {
      evictionHard: { 'memory.available': '1Gi', 'nodefs.available': '5%' },
      kubeReserved: {},
      podPidsLimit: -1,
    },
  );
  t.strictSame(values('--memory-qos', '--memory-throttling-factor=0.75'), {
    'featureGates.MemoryQoS': true,
    memoryThrottlingFactor: 0.75,
  });
  t.strictSame(values('--max-container-restart-period', '1m', '--state-dir=/s'), {
    'crashLoopBackOff.maxContainerRestartPeriod': '1m',
    stateDirectory: '/s',
  });
});

t.test('a command line that makes no sense says why', async (t) => {
  const table: [string[], string | RegExp][] = [
    [['--max-pod', '3'], 'there is no flag --max-pod, did you mean --max-pods?'],
    [['--hostname-override', 'a'], 'there is no flag --hostname-override'],
    [['--zzzzzzz'], 'there is no flag --zzzzzzz'],
    [['-x'], 'there is no flag -x'],
    [['serve'], 'there is no command "serve"'],
    [['config'], 'there is no command "config"'],
    [['--max-pods'], /--max-pods/],
    [['--seccomp-default=false'], /--seccomp-default/],
  ];
  for (const [argv, message] of table) {
    t.throws(() => parseCommand(argv), { name: 'UsageError', message } as unknown as UsageError, argv.join(' '));
  }
});

t.test('--help names every flag and exit code', async (t) => {
  const help = helpText();
  for (const { name, schema } of settingFlags())
    t.ok(help.includes(schema.type === 'boolean' ? `--[no-]${name}` : `--${name} `), name);
  for (const code of ['0 ', '1 ', '2 ', '78 ']) t.ok(help.includes(`\n  ${code}`), code);
});
