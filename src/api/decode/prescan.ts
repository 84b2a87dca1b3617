/**
 * A bound on the nodes that a YAML parser would build, found without parsing: at least half of the
 * parser's events follow one of these marks, whatever quotes, comments and block scalars surround it. It counts too
 * much inside text, which is why the limit it is held against is far above any manifest; what it is for is that
 * 3 MiB of `?\n` is refused before 400 MB of events exist.
 */
export function countYamlTokens(bytes: Uint8Array): number {
  let tokens = 0;
  for (let i = 0; i < bytes.length; i += 1) {
    switch (bytes[i]) {
      case 0x2c: // ,
      case 0x5b: // [
      case 0x7b: // {
        tokens += 1;
        break;
      case 0x3a: // ':' ends a key before a space, and in flow style directly after a quote or bracket
        if (isSpaceOrEnd(bytes[i + 1]) || isQuoteOrClosing(bytes[i - 1])) tokens += 1;
        break;
      case 0x2d: // '-' starts an entry before a space; `---` starts a document, which is three events
        if (isSpaceOrEnd(bytes[i + 1])) tokens += bytes[i - 1] === 0x2d ? 2 : 1;
        break;
      case 0x3f: // '?' starts a key, and may end it: an empty key and an empty value
        if (isSpaceOrEnd(bytes[i + 1])) tokens += 2;
        break;
      default:
    }
  }
  return tokens;
}

function isSpaceOrEnd(c: number | undefined): boolean {
  return c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09 || c === undefined;
}

function isQuoteOrClosing(c: number | undefined): boolean {
  return c === 0x22 || c === 0x27 || c === 0x5d || c === 0x7d;
}
