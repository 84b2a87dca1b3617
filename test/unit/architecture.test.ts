import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import t from 'tap';
import ts from 'typescript';

/** Folders of src/ from the bottom up: a file imports from lower levels and from its own folder. '' is src/ itself. */
const levels: readonly (readonly string[])[] = [
  ['util'],
  ['api', 'spdy'],
  ['config', 'runtime', 'store', 'cgroups', 'volumes', 'network', 'logs', 'events', 'sources', 'tokens'],
  // They work through the runtime's client, or the store.
  ['images', 'probes', 'stats', 'storage'],
  ['hooks'],
  ['pod'],
  ['node', 'server'],
  [''],
];

/** Neighbours on one level know each other by types only, and only these: importer → imported. */
const typesOfNeighbours: readonly string[] = [
  'volumes → runtime',
  'cgroups → runtime',
  'network → runtime',
  'sources → store',
  'events → store',
  'tokens → store',
];

/** Packages and modules that only one place may import. */
const keepers: readonly (readonly [module: RegExp, place: RegExp])[] = [
  [/^@grpc\//, /^runtime\//],
  [/^(fastify|@fastify\/.*)$/, /^server\//],
  [/^execa$/, /^util\/exec\.ts$/],
  [/^node:child_process$/, /^$/],
  [/^protobufjs$/, /^api\/decode\//],
  [/^ws$/, /^server\/streams\//],
  [/^node:sqlite$/, /^store\//],
  // A client: for tests only.
  [/^@kubernetes\//, /^$/],
  [/^node:worker_threads$/, /^(api\/decode|store|util)\//],
];

/** Globals that belong to the program's entry. */
const entryOnly: readonly string[] = ['process.env', 'process.argv', 'process.exit', 'process.exitCode'];

/** Files that compute and do nothing: no clock, no randomness, no input or output. */
const pure: readonly RegExp[] = [
  /^api\/(?!decode\/|openapi)/,
  /^spdy\/(dictionary|frames|header-block)\.ts$/,
  /^server\/streams\/offer\.ts$/,
  /^pod\/(plan(-.*)?|actions|status|phase|conditions|containers|container-status|completion|termination-order|restart(-all)?|environment|instances|service-environment|resize)\.ts$/,
  /^server\/audit\/audit-event\.ts$/,
  /^server\/access\/(attributes|default-roles|escalation|impersonation|reviews|rules)\.ts$/,
  /^pod\/(active-deadline|atomic-start|ephemeral-target|grace-period|node-shutdown-status|runtime-features|status-events|unfinished-start)\.ts$/,
  /^cgroups\/formulas\.ts$/,
  /^node\/(admission|shutdown-groups)\.ts$/,
  /^probes\/(evaluation|address|http-target|network-error|outcome|results)\.ts$/,
  /^volumes\/(payload|config-map|secret|downward-api|projected|service-account-token)\.ts$/,
  /^images\/(docker-config|image-access|image-error|image-gc-order|keyring)\.ts$/,
  /^storage\/(match|claim-step|claim-users|volume-step|ephemeral-claims)\.ts$/,
  /^network\/(hosts|dns|hostname)\.ts$/,
  /^stats\/(usage|cgroup-usage|node-usage|cpu-rate|exposition|metrics-objects|running-pods|summary|resource-metrics|cadvisor-metrics)\.ts$/,
  /^runtime\/(labels|sandbox-config|container-config|observed)\.ts$/,
];
const impureModules = /^node:(fs|net|http|https|http2|os|child_process|worker_threads|timers|dns|sqlite|tls)(\/|$)/;
/** What is pure in a module that otherwise is not. */
const pureNames = new Set(['node:net isIP', 'node:net isIPv4', 'node:net isIPv6']);
const impureCalls = ['Date.now', 'Math.random', 'performance.now', 'setTimeout', 'setInterval', 'setImmediate'];

interface Import {
  /** Path within src/ for files of the project, the module's name for others. */
  readonly target: string;
  readonly isInternal: boolean;
  readonly isTypeOnly: boolean;
  /** Undefined where not only single names are imported. */
  readonly names: readonly string[] | undefined;
}

interface SourceFile {
  readonly path: string;
  readonly imports: readonly Import[];
  /** Dotted accesses of globals and calls, such as process.env or setTimeout. */
  readonly uses: ReadonlySet<string>;
  /** `let` and `var` outside of every function. */
  readonly mutableGlobals: readonly string[];
}

const src = join(import.meta.dirname, '../../src');

function readSources(): SourceFile[] {
  return readdirSync(src, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.startsWith('runtime/generated/'))
    .map(readSource);
}

function readSource(path: string): SourceFile {
  const tree = ts.createSourceFile(path, readFileSync(join(src, path), 'utf8'), ts.ScriptTarget.Latest, true);
  const imports: Import[] = [];
  const uses = new Set<string>();
  const visit = (node: ts.Node): void => {
    const specifier = moduleSpecifier(node);
    if (specifier !== undefined) {
      const isInternal = specifier.startsWith('.');
      const target = isInternal ? relative(src, join(src, dirname(path), specifier)) : specifier;
      imports.push({ target, isInternal, isTypeOnly: isTypeOnly(node), names: importedNames(node) });
    }
    if (ts.isPropertyAccessExpression(node) && ts.isIdentifier(node.expression)) {
      uses.add(`${node.expression.text}.${node.name.text}`);
    }
    if (ts.isCallExpression(node) && ts.isIdentifier(node.expression)) uses.add(node.expression.text);
    if (ts.isNewExpression(node) && node.getText() === 'new Date()') uses.add('Date.now');
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return { path, imports, uses, mutableGlobals: mutableGlobals(tree) };
}

function moduleSpecifier(node: ts.Node): string | undefined {
  if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier) {
    return (node.moduleSpecifier as ts.StringLiteral).text;
  }
  if (!ts.isCallExpression(node) || node.expression.kind !== ts.SyntaxKind.ImportKeyword) return undefined;
  const argument = node.arguments[0];
  return argument && ts.isStringLiteralLike(argument) ? argument.text : undefined;
}

function isTypeOnly(node: ts.Node): boolean {
  if (ts.isExportDeclaration(node)) return node.isTypeOnly;
  if (!ts.isImportDeclaration(node)) return false;
  const clause = node.importClause;
  if (clause === undefined) return false;
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  const bindings = clause.namedBindings;
  const isEachType =
    bindings && ts.isNamedImports(bindings) && bindings.elements.every((element) => element.isTypeOnly);
  return clause.name === undefined && isEachType === true;
}

function importedNames(node: ts.Node): string[] | undefined {
  const clause = ts.isImportDeclaration(node) ? node.importClause : undefined;
  const bindings = clause?.namedBindings;
  if (clause?.name !== undefined || bindings === undefined || !ts.isNamedImports(bindings)) return undefined;
  return bindings.elements.map(({ name, propertyName }) => (propertyName ?? name).text);
}

function isPureImport({ target, isTypeOnly, names }: Import): boolean {
  if (isTypeOnly || !impureModules.test(target)) return true;
  return names?.every((name) => pureNames.has(`${target} ${name}`)) === true;
}

function mutableGlobals(tree: ts.SourceFile): string[] {
  return tree.statements
    .filter((statement) => ts.isVariableStatement(statement))
    .filter(({ declarationList }) => (declarationList.flags & ts.NodeFlags.Const) === 0)
    .map((statement) => statement.getText().split('\n')[0] ?? '');
}

const sources = readSources();
const folderOf = (path: string) => (path.includes('/') ? path.slice(0, path.indexOf('/')) : '');
const levelOf = (folder: string) => levels.findIndex((level) => level.includes(folder));

/** Why an import between two folders is wrong; undefined where it is not. */
function wrongEdge(from: string, to: string, isTypeOnlyImport: boolean): string | undefined {
  if (from === to || levelOf(to) < levelOf(from)) return undefined;
  if (levelOf(to) > levelOf(from)) return 'points up';
  if (!typesOfNeighbours.includes(`${from} → ${to}`)) return 'names a neighbour that it should not know';
  return isTypeOnlyImport ? undefined : 'takes more than types from a neighbour';
}

t.test('every folder of src/ has its place in the order', async (t) => {
  const unknown = [...new Set(sources.map(({ path }) => folderOf(path)))].filter((folder) => levelOf(folder) < 0);
  t.same(unknown, []);
});

t.test('dependencies point one way', async (t) => {
  const wrong = sources.flatMap(({ path, imports }) =>
    imports
      .filter(({ isInternal }) => isInternal)
      .flatMap(({ target, isTypeOnly }) => {
        const why = wrongEdge(folderOf(path), folderOf(target), isTypeOnly);
        return why === undefined ? [] : [`${path} imports ${target}: it ${why}`];
      }),
  );
  t.same(wrong, []);
});

t.test('no file needs itself to be loaded first', async (t) => {
  const graph = new Map(
    sources.map(({ path, imports }) => [
      path,
      imports.filter(({ isInternal, isTypeOnly }) => isInternal && !isTypeOnly).map(({ target }) => target),
    ]),
  );
  const done = new Set<string>();
  const cycles: string[] = [];
  const walk = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) {
      cycles.push([...trail.slice(trail.indexOf(path)), path].join(' → '));
    } else if (!done.has(path)) {
      for (const target of graph.get(path) ?? []) walk(target, [...trail, path]);
      done.add(path);
    }
  };
  for (const path of graph.keys()) walk(path, []);
  t.same(cycles, []);
});

t.test('a package stays with its keeper', async (t) => {
  const strays = sources.flatMap(({ path, imports }) =>
    imports
      .filter(({ target, isInternal }) => {
        const rule = isInternal ? undefined : keepers.find(([module]) => module.test(target));
        return rule !== undefined && !rule[1].test(path);
      })
      .map(({ target }) => `${path} imports ${target}`),
  );
  t.same(strays, []);
});

t.test('only the entry reads arguments and environment, and ends the process', async (t) => {
  const strays = sources
    .filter(({ path }) => path !== 'main.ts')
    .flatMap(({ path, uses }) => entryOnly.filter((name) => uses.has(name)).map((name) => `${path} uses ${name}`));
  t.same(strays, []);
});

t.test('pure files neither read a clock nor reach outside', async (t) => {
  const impure = sources
    .filter(({ path }) => pure.some((pattern) => pattern.test(path)))
    .flatMap(({ path, imports, uses }) => [
      ...imports.filter((found) => !isPureImport(found)).map(({ target }) => `${path} imports ${target}`),
      ...impureCalls.filter((name) => uses.has(name)).map((name) => `${path} uses ${name}`),
    ]);
  t.same(impure, []);
});

t.test('no state outside of objects', async (t) => {
  t.same(
    sources.flatMap(({ path, mutableGlobals }) => mutableGlobals.map((statement) => `${path}: ${statement}`)),
    [],
  );
});

t.test('no barrels and no rooms for everything', async (t) => {
  const vague = sources
    .map(({ path }) => path)
    .filter((path) => basename(path) === 'index.ts' || /(^|\/)(lib|common|helpers|utils|misc)\//.test(path));
  t.same(vague, []);
});

t.test('the rules above would notice a violation', async (t) => {
  t.equal(wrongEdge('util', 'api', true), 'points up');
  t.equal(wrongEdge('runtime', 'pod', true), 'points up');
  t.equal(wrongEdge('volumes', 'runtime', false), 'takes more than types from a neighbour');
  t.equal(wrongEdge('runtime', 'volumes', true), 'names a neighbour that it should not know');
  t.equal(wrongEdge('pod', 'runtime', false), undefined);
  t.equal(wrongEdge('', 'server', false), undefined);
});
