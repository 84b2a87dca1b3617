import t from 'tap';
import { printable } from '../../../src/util/printable.ts';

t.test('control characters are shown, all else stays', async (t) => {
  t.equal(printable('a\tb\nü 日本 🙂 "\\"'), 'a\tb\nü 日本 🙂 "\\"');
  t.equal(printable('\u001b[2J\u0007\u007f\u009b\r\0'), '\\u001b[2J\\u0007\\u007f\\u009b\\u000d\\u0000');
  const logged = JSON.stringify({ message: '\u009b2J\u007f' });
  t.same(JSON.parse(printable(logged)), { message: '\u009b2J\u007f' }, 'a line of the log means what it meant');
});
