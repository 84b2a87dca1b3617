import { access, constants, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DecodeError } from '../api/decode/decode-error.ts';
import { decodeUtf8 } from '../api/decode/utf8.ts';
import { parseYaml } from '../api/decode/yaml.ts';
import { parseRegistryLocation } from '../api/registry-location.ts';
import { didYouMean } from './did-you-mean.ts';
import { parseDuration } from './duration.ts';
import type { Problem } from './problem.ts';

/** A program that knows credentials (CredentialProvider of kubelet.config.k8s.io/v1). */
export interface CredentialProvider {
  /** Also the program's name. */
  readonly name: string;
  /** The whole path of the program. */
  readonly program: string;
  /** Places of the images that it is asked for. */
  readonly matchImages: readonly string[];
  /** How long its answers hold that do not say it themselves. */
  readonly defaultCacheDurationMs: number;
  /** What it is asked and answers in. */
  readonly apiVersion: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

const versions = ['v1', 'v1beta1', 'v1alpha1'];
const configVersions = versions.map((version) => `kubelet.config.k8s.io/${version}`);
const providerVersions = versions.map((version) => `credentialprovider.kubelet.k8s.io/${version}`);

type Map = Readonly<Record<string, unknown>>;
type Report = (message: string) => void;

/**
 * Reads a kubelet's CredentialProviderConfig, with the rules of pkg/credentialprovider/plugin/config.go, and looks whether the
 * programs are there. Everything that is wrong is a problem.
 */
export async function readCredentialProviders(
  file: string,
  binDirectory: string,
): Promise<{ providers: CredentialProvider[]; problems: Problem[] }> {
  const problems: Problem[] = [];
  const report: Report = (message) => problems.push({ where: file, message });
  const document = await readDocument(file, report);
  const providers = document === undefined ? [] : checkProviders(document, binDirectory, report);
  for (const { program } of providers) {
    const isProgram = await Promise.all([access(program, constants.X_OK), stat(program)]).then(
      ([, found]) => found.isFile(),
      () => false,
    );
    if (!isProgram) report(`there is no program ${program}`);
  }
  return { providers, problems };
}

async function readDocument(file: string, report: Report): Promise<Map | undefined> {
  try {
    const [document, second] = parseYaml(decodeUtf8(await readFile(file))).filter(({ isEmpty }) => !isEmpty);
    for (const message of document?.duplicates ?? []) report(message);
    if (isMap(document?.value) && second === undefined) return document.value;
    report('must be one YAML or JSON document with a CredentialProviderConfig');
  } catch (error) {
    if (error instanceof DecodeError) report(error.message);
    else report(`could not be read: ${error instanceof Error ? error.message : error}`);
  }
  return undefined;
}

function checkProviders(document: Map, binDirectory: string, report: Report): CredentialProvider[] {
  checkNames(document, ['apiVersion', 'kind', 'providers'], '', report);
  if (document.kind !== 'CredentialProviderConfig') report('kind must be CredentialProviderConfig');
  if (!configVersions.some((version) => version === document.apiVersion)) {
    report(`apiVersion must be one of ${configVersions.join(', ')}`);
  }
  const { providers } = document;
  if (!Array.isArray(providers) || providers.length === 0) {
    report('providers must have at least one entry');
    return [];
  }
  const names = new Set<string>();
  return providers.map((provider: unknown, index) => {
    const where = `providers[${index}]`;
    const checked = checkProvider(isMap(provider) ? provider : {}, where, binDirectory, report);
    if (names.has(checked.name)) report(`${where}.name: there is another one ${JSON.stringify(checked.name)}`);
    names.add(checked.name);
    return checked;
  });
}

const known = ['name', 'matchImages', 'defaultCacheDuration', 'apiVersion', 'args', 'env'];

function checkProvider(provider: Map, where: string, binDirectory: string, report: Report): CredentialProvider {
  const { tokenAttributes, ...rest } = provider;
  checkNames(rest, known, `${where}.`, report);
  if (tokenAttributes !== undefined && tokenAttributes !== null) {
    report(`${where}.tokenAttributes: not supported by mini-kubelet yet`);
  }
  const name = typeof provider.name === 'string' ? provider.name : '';
  if (name === '' || name === '.' || name === '..' || /[\s/\0]/.test(name)) {
    report(`${where}.name must be the name of a program, without / and blanks`);
  }
  const apiVersion = String(provider.apiVersion);
  if (!providerVersions.includes(apiVersion))
    report(`${where}.apiVersion must be one of ${providerVersions.join(', ')}`);
  const matchImages = texts(provider.matchImages);
  if (!matchImages?.length || matchImages.some((place) => place === '' || !parseRegistryLocation(place))) {
    report(`${where}.matchImages must have at least one place of images, like *.registry.test/team`);
  }
  const duration =
    typeof provider.defaultCacheDuration === 'string' ? parseDuration(provider.defaultCacheDuration) : undefined;
  if (duration === undefined) report(`${where}.defaultCacheDuration must be a duration like "12h"`);
  const args = texts(provider.args ?? []);
  if (!args) report(`${where}.args must be a list of texts`);
  return {
    name,
    program: join(binDirectory, name),
    matchImages: matchImages ?? [],
    defaultCacheDurationMs: duration ?? 0,
    apiVersion,
    args: args ?? [],
    env: checkEnv(provider.env ?? [], where, report),
  };
}

function checkEnv(env: unknown, where: string, report: Report): Record<string, string> {
  const found: Record<string, string> = {};
  for (const entry of Array.isArray(env) ? env : [undefined]) {
    const { name, value } = isMap(entry) ? entry : {};
    if (typeof name === 'string' && /^[^=\0]+$/.test(name) && typeof value === 'string' && !value.includes('\0')) {
      found[name] = value;
    } else {
      report(`${where}.env must be a list of names with values`);
    }
  }
  return found;
}

function checkNames(map: Map, names: readonly string[], prefix: string, report: Report): void {
  for (const key of Object.keys(map)) {
    if (!names.includes(key)) report(`there is no field ${prefix}${key}${didYouMean(key, names)}`);
  }
}

/** Undefined for what is no list of texts that a program can be given. */
function texts(value: unknown): string[] | undefined {
  const isTexts = Array.isArray(value) && value.every((item) => typeof item === 'string' && !item.includes('\0'));
  return isTexts ? value : undefined;
}

function isMap(value: unknown): value is Map {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
