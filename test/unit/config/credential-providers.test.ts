import { writeFileSync } from 'node:fs';
import t from 'tap';
import { loadConfig } from '../../../src/config/config.ts';
import { ConfigError } from '../../../src/config/problem.ts';

const host = { hostname: 'node-1', cpuCount: 2 };

const header = 'apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\n';
const provider = `providers:
- name: helper
  apiVersion: credentialprovider.kubelet.k8s.io/v1
  matchImages: ["*.registry.test", "registry.test:5000/team"]
  defaultCacheDuration: 12h
`;

async function load(directory: string) {
  const config = `imageCredentialProviderConfig: ${directory}/providers.yaml\nimageCredentialProviderBinDir: ${directory}/bin\n`;
  writeFileSync(`${directory}/config.yaml`, config);
  return loadConfig({ host, file: `${directory}/config.yaml` });
}

function write(t: Tap, text: string): string {
  const helper = t.fixture('symlink', process.execPath);
  return t.testdir({ 'providers.yaml': text, bin: { helper, directory: {} } });
}

type Tap = Pick<typeof t, 'testdir' | 'fixture'>;

t.test('providers are read with what they need', async (t) => {
  const directory = write(t, `${header}${provider}  args: [--fast]\n  env: [{name: REGION, value: here}]\n`);
  const { config } = await load(directory);
  t.same(config.credentialProviders, [
    {
      name: 'helper',
      program: `${directory}/bin/helper`,
      matchImages: ['*.registry.test', 'registry.test:5000/team'],
      defaultCacheDurationMs: 12 * 3_600_000,
      apiVersion: 'credentialprovider.kubelet.k8s.io/v1',
      args: ['--fast'],
      env: { REGION: 'here' },
    },
  ]);
});

t.test('everything that is wrong is said at once', async (t) => {
  const cases: [text: string, ...problems: RegExp[]][] = [
    ['', /must be one YAML or JSON document/],
    ['a: [', /providers\.yaml: /],
    [header, /providers must have at least one entry/],
    [provider, /kind must be CredentialProviderConfig/, /apiVersion must be one of kubelet\.config\.k8s\.io\/v1,/],
    [`${header}${provider}extra: 1\n`, /there is no field extra/],
    [`${header}${provider}  arg: []\n`, /there is no field providers\[0\]\.arg, did you mean args/],
    [
      `${header}${provider}  tokenAttributes: {}\n`,
      /providers\[0\]\.tokenAttributes: not supported by mini-kubelet yet/,
    ],
    [`${header}${provider.replace('helper', '../helper')}`, /providers\[0\]\.name must be the name of a program/],
    [`${header}${provider.replace('helper', 'absent')}`, /there is no program .*\/bin\/absent/],
    [`${header}${provider.replace('helper', 'directory')}`, /there is no program .*\/bin\/directory/],
    [`${header}${provider}${provider.replace('providers:\n', '')}`, /there is another one "helper"/],
    [
      `${header}providers: [{name: helper, args: [1], env: [{name: A}], matchImages: ["a b"], defaultCacheDuration: -1s}]`,
      /providers\[0\]\.apiVersion must be one of credentialprovider/,
      /providers\[0\]\.matchImages must have at least one place/,
      /providers\[0\]\.defaultCacheDuration must be a duration/,
      /providers\[0\]\.args must be a list of texts/,
      /providers\[0\]\.env must be a list of names/,
    ],
  ];
  for (const [text, ...problems] of cases) {
    const error = await load(write(t, text)).catch((failure: unknown) => failure);
    t.ok(error instanceof ConfigError, text);
    for (const problem of problems) t.match(`${(error as ConfigError).message}`, problem);
  }
});

t.test('file and directory belong together', async (t) => {
  const directory = t.testdir({ 'config.yaml': 'imageCredentialProviderBinDir: /plugins\n' });
  await t.rejects(loadConfig({ host, file: `${directory}/config.yaml` }), {
    message: `${directory}/config.yaml:1: imageCredentialProviderConfig and imageCredentialProviderBinDir must be given together`,
  });
});
