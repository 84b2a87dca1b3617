import t from 'tap';
import { parseFieldSelector, parseLabelSelector } from '../../../src/api/selectors.ts';
import { StatusError } from '../../../src/api/status-error.ts';

function problemOf(parse: () => unknown): string {
  try {
    parse();
  } catch (error) {
    if (error instanceof StatusError && error.status.code === 400) return error.message;
    throw error;
  }
  return '';
}

t.test('label selectors', async (t) => {
  const labels = { app: 'web', tier: '', count: '7', 'example.com/a': 'B' };
  const selected: Record<string, boolean> = {
    '': true,
    ' ': true,
    'app=web': true,
    'app == web': true,
    'app=db': false,
    'app!=db': true,
    'app!=web': false,
    'none!=web': true,
    app: true,
    none: false,
    '!none': true,
    '! app': false,
    'tier=': true,
    'app=': false,
    'app in (web, db)': true,
    'app in (db)': false,
    'app notin (web)': false,
    'none notin (web)': true,
    'tier in (,x)': true,
    'in in (in)': false,
    in: false,
    'count>6': true,
    'count > 7': false,
    'count<8': true,
    'app>1': false,
    'example.com/a=B': true,
    'app=web,tier=,count in (7),!none': true,
    'app=web,none': false,
    constructor: false,
    '!constructor': true,
    'toString notin (a)': true,
  };
  for (const [text, want] of Object.entries(selected)) t.equal(parseLabelSelector(text).matches(labels), want, text);
});

t.test('texts that are no label selectors', async (t) => {
  for (const text of [
    ',',
    'a,',
    ',a',
    'a b',
    'a=b=c',
    'a in',
    'a in ()x',
    'a in (b',
    'a in b',
    '!a=b',
    '!',
    '=a',
    'a>b',
    'a>',
    '(a)',
    'a_=b',
    'a=-b',
    `a=${'b'.repeat(64)}`,
    '/a',
    'a'.repeat(70_000),
  ]) {
    t.match(
      problemOf(() => parseLabelSelector(text)),
      /labelSelector/,
      text.slice(0, 80),
    );
  }
});

t.test('field selectors', async (t) => {
  const fields = { 'metadata.name': 'web', 'status.phase': 'Running', reason: 'a,b=c\\d' };
  const selected: Record<string, boolean> = {
    '': true,
    'metadata.name=web': true,
    'metadata.name==web': true,
    'metadata.name=db': false,
    'metadata.name=': false,
    'status.phase!=Running': false,
    'status.phase!=Pending,metadata.name=web': true,
    'metadata.name=web,status.phase=Failed': false,
    'reason=a\\,b\\=c\\\\d': true,
  };
  for (const [text, want] of Object.entries(selected)) t.equal(parseFieldSelector(text).matches(fields), want, text);
  t.same(parseFieldSelector('a=b,c!=d').fields, ['a', 'c']);
  t.match(
    problemOf(() => parseFieldSelector('a').matches(fields)),
    /invalid field selector/,
  );
  t.match(
    problemOf(() => parseFieldSelector('=a').matches(fields)),
    /invalid field selector/,
  );
  t.match(
    problemOf(() => parseFieldSelector('a=b').matches(fields)),
    /^field label not supported: a/,
  );
  t.match(
    problemOf(() => parseFieldSelector('constructor=b').matches(fields)),
    /^field label not supported/,
  );
});
