import t from 'tap';
import { DecodeError } from '../../../../src/api/decode/decode-error.ts';
import { parseYaml } from '../../../../src/api/decode/yaml.ts';

function value(text: string): unknown {
  return parseYaml(text)[0]?.value;
}

function refusal(text: string): string {
  try {
    parseYaml(text);
  } catch (error) {
    if (error instanceof DecodeError) return error.message;
    throw error;
  }
  return 'accepted';
}

const manifest = `\uFEFF# a pod
apiVersion: v1
kind: Pod
metadata:
  name: web
  labels: {app: web, "n": "yes"}
spec:
  containers:
  - name: a
    image: busybox   # pinned elsewhere
    command:
    - sh
    - -c
    - |
      echo "a: b"
      # not a comment

      exit 0
    args: ['it''s', "tab\\t", >-
      folded
      text]
  - {name: b, image: busybox, ports: [{containerPort: 0x50}]}
`;

t.test('a manifest with every style reads as kubectl reads it', async (t) => {
  const block = manifest.replace(', >-\n      folded\n      text]', ']');
  t.strictSame(value(block), {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', labels: { app: 'web', n: 'yes' } },
    spec: {
      containers: [
        {
          name: 'a',
          image: 'busybox',
          command: ['sh', '-c', 'echo "a: b"\n# not a comment\n\nexit 0\n'],
          args: ["it's", 'tab\t'],
        },
        { name: 'b', image: 'busybox', ports: [{ containerPort: 80 }] },
      ],
    },
  });
  t.match(refusal(manifest), /^line 1[89], column \d+: /, 'a block scalar inside a flow list is no YAML');
});

t.test('JSON is YAML', async (t) => {
  const text = '{"a": [1, 2.5, true, null, "x\\u00e9\\/\\n"],\n\t"b": {}, "c":{"d":"e"}}';
  t.strictSame(value(text), JSON.parse(text));
});

t.test('the last of two equal keys wins, and each is reported with its line', async (t) => {
  const [document] = parseYaml(
    'metadata:\n  name: a\n  name: b\n  name:\n    x: 1\nspec: {a: 1, a: 2}\nlist:\n- k: |\n    text\n  k: >\n    text\n',
  );
  t.strictSame(document?.duplicates, [
    'line 3: key "name" already set in map',
    'line 5: key "name" already set in map',
    'line 6: key "a" already set in map',
    'line 10: key "k" already set in map',
  ]);
  t.strictSame(document?.value, { metadata: { name: { x: 1 } }, spec: { a: 2 }, list: [{ k: 'text\n' }] });
  t.strictSame(parseYaml('yes: 1\ntrue: 2\n"true": 3\n')[0]?.duplicates.length, 2);
  const many = Array.from({ length: 300 }, () => 'a: 1\n').join('');
  t.equal(parseYaml(many)[0]?.duplicates.length, 100);
});

t.test('merge keys work, and setting a merged key again is no duplicate', async (t) => {
  const [document] = parseYaml(
    'base: &base {cpu: 1, memory: 2}\na:\n  <<: *base\n  cpu: 3\nb: {cpu: 3, <<: *base}\nc:\n  <<: [{x: 1}, {x: 2, z: 2}]\nd: {"<<": 1}\n',
  );
  t.strictSame(document?.value, {
    base: { cpu: 1, memory: 2 },
    a: { cpu: 3, memory: 2 },
    b: { cpu: 1, memory: 2 },
    c: { x: 1, z: 2 },
    d: { '<<': 1 },
  });
  t.strictSame(document?.duplicates, []);
});

t.test('an alias is a copy of its own', async (t) => {
  const v = value('a: &a {list: [1]}\nb: *a\nc: &key text\n*key : d\n') as {
    a: { list: number[] };
    b: { list: number[] };
  };
  v.a.list.push(2);
  t.strictSame(v, { a: { list: [1, 2] }, b: { list: [1] }, c: 'text', text: 'd' });
  t.equal(refusal('a: &a [*a]\n'), 'line 1, column 9: the alias refers to a value that contains it');
});

t.test('prototype members are ordinary keys, from merges and aliases too', async (t) => {
  const v = value('__proto__: &a {privileged: true}\nconstructor: *a\nb: {<<: {__proto__: {privileged: true}}}\n');
  t.strictSame(Object.keys(v as object), ['__proto__', 'constructor', 'b']);
  t.equal(Object.getPrototypeOf((v as { b: object }).b), Object.prototype);
  t.equal(({} as { privileged?: unknown }).privileged, undefined);
});

t.test('documents are told apart, with their first lines; empty ones are marked', async (t) => {
  const documents = parseYaml('# head\n---\na: 1\n---\n# nothing\n--- # c\n- b\n...\n---\n');
  t.strictSame(
    documents.map(({ value, line, isEmpty }) => [value, isEmpty ? 'empty' : line]),
    [
      [{ a: 1 }, 3],
      [null, 'empty'],
      [['b'], 7],
      [null, 'empty'],
    ],
  );
  t.strictSame(parseYaml('# only a comment\n'), []);
  t.strictSame(parseYaml(''), []);
});

t.test('syntax errors have line and column and quote nothing', async (t) => {
  const secret = 'hunter2';
  const table: [string, RegExp][] = [
    [`a: 1\nb: ${secret}: x\n`, /^line 2, column \d+: /],
    [`a:\n\t${secret}: 1\n`, /^line 2, column \d+: .*tab/],
    [`a: "${secret}\n`, /^line 2, column 1: /],
    [`a: [${secret}\nb: 1\n`, /^line 2, column \d+: /],
    [`a: ${secret}\n b: 1\n`, /^line 2, column \d+: /],
    [`a: !<${secret}"> x\n`, /^line 1, column \d+: the tag has characters/],
    [`- a\n${secret}: 1\n`, /^line 2, column \d+: /],
    [`a: 1\0${secret}\n`, /^line 1, column 5: null byte/],
    [`a: "\x01${secret}"\n`, /^line 1, column \d+: /],
  ];
  for (const [text, message] of table) {
    t.match(refusal(text), message, JSON.stringify(text));
    t.notMatch(refusal(text), secret);
  }
});

t.test('depth is limited, through aliases too', async (t) => {
  t.equal(refusal('['.repeat(999) + ']'.repeat(999)), 'accepted');
  t.equal(refusal('['.repeat(1001) + ']'.repeat(1001)), 'line 1, column 1000: nested deeper than 1000 levels');
  const chain = (levels: number) =>
    Array.from(
      { length: levels },
      (_, i) => `a${i}: &a${i} ${'['.repeat(200)}${i ? `*a${i - 1}` : '1'}${']'.repeat(200)}\n`,
    );
  t.equal(refusal(chain(4).join('')), 'accepted');
  t.equal(refusal(chain(5).join('')), 'line 5, column 210: nested deeper than 1000 levels');
});

t.test('few aliases are welcome, a bomb of them is not', async (t) => {
  const honest = `a: &a {x: 1, y: 2}\nb:\n${'- *a\n'.repeat(50)}`;
  t.equal((value(honest) as { b: unknown[] }).b.length, 50);
  const lines = Array.from(
    { length: 9 },
    (_, i) =>
      `k${i}: &k${i} [${Array(9)
        .fill(i ? `*k${i - 1}` : 'lol')
        .join(', ')}]\n`,
  );
  t.match(refusal(lines.join('')), /document contains excessive aliasing/);
  t.match(refusal(`a: &a {k: v}\nb:\n${'- <<: *a\n'.repeat(100_000)}`), /excessive aliasing|more than/);
});
