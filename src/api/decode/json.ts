import { errorAt } from './decode-error.ts';
import { maxDepth, maxValues } from './limits.ts';

export interface ParsedJson {
  readonly value: unknown;
  /** `duplicate field "metadata.name"`, in the order of the document, each once, at most 100 as in Kubernetes. */
  readonly duplicates: readonly string[];
}

/**
 * Reads one JSON document (RFC 8259), as strictly as Kubernetes' decoder: nothing may follow the document, and each
 * duplicate key is reported (the last one wins). `JSON.parse` is no help here: it loses duplicates, the place of an
 * error and integers beyond 2^53.
 *
 * An integer that a double cannot hold exactly is a bigint up to 64 bits, and a double beyond them, as in Go. An
 * unpaired surrogate escape becomes U+FFFD, as in Go. Every key becomes an own property, `__proto__` too.
 *
 * @throws DecodeError with line and column.
 */
export function parseJson(text: string): ParsedJson {
  return new JsonReader(text).read();
}

const maxDuplicates = 100;

class JsonReader {
  readonly #text: string;
  #at = 0;
  #depth = 0;
  #values = 0;
  readonly #path: (string | number)[] = [];
  readonly #duplicates = new Set<string>();

  constructor(text: string) {
    this.#text = text;
  }

  read(): ParsedJson {
    this.#skipSpace();
    if (this.#at === this.#text.length) throw this.#error('the document is empty');
    const value = this.#value();
    this.#skipSpace();
    if (this.#at < this.#text.length) throw this.#error('unexpected data after the end of the document');
    return { value, duplicates: [...this.#duplicates] };
  }

  #value(): unknown {
    this.#values += 1;
    if (this.#values > maxValues) throw this.#error(`the document has more than ${maxValues} values`);
    switch (this.#text.charCodeAt(this.#at)) {
      case 0x7b:
        return this.#nested(() => this.#object());
      case 0x5b:
        return this.#nested(() => this.#array());
      case 0x22:
        return this.#string();
      case 0x74:
        return this.#word('true', true);
      case 0x66:
        return this.#word('false', false);
      case 0x6e:
        return this.#word('null', null);
      default:
        return this.#number();
    }
  }

  #nested<T>(read: () => T): T {
    this.#depth += 1;
    if (this.#depth > maxDepth) throw this.#error(`nested deeper than ${maxDepth} levels`);
    const value = read();
    this.#depth -= 1;
    return value;
  }

  #object(): Record<string, unknown> {
    const object: Record<string, unknown> = {};
    this.#at += 1;
    this.#skipSpace();
    if (this.#take(0x7d)) return object;
    for (;;) {
      this.#skipSpace();
      if (this.#text.charCodeAt(this.#at) !== 0x22) throw this.#error('expected a property name in double quotes');
      const key = this.#string();
      this.#path.push(key);
      if (Object.hasOwn(object, key)) this.#duplicate();
      this.#skipSpace();
      if (!this.#take(0x3a)) throw this.#error("expected ':' after a property name");
      this.#skipSpace();
      setOwn(object, key, this.#value());
      this.#path.pop();
      this.#skipSpace();
      if (this.#take(0x7d)) return object;
      if (!this.#take(0x2c)) throw this.#error("expected ',' or '}' after a property value");
    }
  }

  #array(): unknown[] {
    const array: unknown[] = [];
    this.#at += 1;
    this.#skipSpace();
    if (this.#take(0x5d)) return array;
    for (;;) {
      this.#skipSpace();
      this.#path.push(array.length);
      array.push(this.#value());
      this.#path.pop();
      this.#skipSpace();
      if (this.#take(0x5d)) return array;
      if (!this.#take(0x2c)) throw this.#error("expected ',' or ']' after a list element");
    }
  }

  #string(): string {
    const text = this.#text;
    this.#at += 1;
    let from = this.#at;
    let result = '';
    for (;;) {
      const c = text.charCodeAt(this.#at);
      if (c === 0x22) {
        result += text.slice(from, this.#at);
        this.#at += 1;
        return result.isWellFormed() ? result : result.toWellFormed();
      }
      if (c === 0x5c) {
        result += text.slice(from, this.#at);
        result += this.#escape();
        from = this.#at;
      } else if (c >= 0x20) {
        this.#at += 1;
      } else if (this.#at >= text.length) {
        throw this.#error('the document ends inside a string');
      } else {
        throw this.#error('a control character inside a string must be escaped');
      }
    }
  }

  #escape(): string {
    const c = this.#text.charAt(this.#at + 1);
    if (c === 'u') {
      const hex = this.#text.slice(this.#at + 2, this.#at + 6);
      if (!/^[0-9a-fA-F]{4}$/.test(hex)) throw this.#error('expected four hexadecimal digits after \\u');
      this.#at += 6;
      return String.fromCharCode(Number.parseInt(hex, 16));
    }
    const i = c === '' ? -1 : '"\\/bfnrt'.indexOf(c);
    if (i < 0) throw this.#error('unknown escape sequence in a string');
    this.#at += 2;
    return '"\\/\b\f\n\r\t'.charAt(i);
  }

  #number(): number | bigint {
    const pattern = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?/y;
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match === null) {
      throw this.#error(
        this.#at < this.#text.length ? 'expected a value' : 'the document ends where a value is expected',
      );
    }
    const value = match[1] === undefined && match[2] === undefined ? exactInteger(match[0]) : Number(match[0]);
    if (typeof value === 'number' && !Number.isFinite(value)) throw this.#error('the number is out of range');
    this.#at += match[0].length;
    return value;
  }

  #word<T>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) throw this.#error('expected a value');
    this.#at += word.length;
    return value;
  }

  #take(c: number): boolean {
    if (this.#text.charCodeAt(this.#at) !== c) return false;
    this.#at += 1;
    return true;
  }

  #skipSpace(): void {
    for (;;) {
      const c = this.#text.charCodeAt(this.#at);
      if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return;
      this.#at += 1;
    }
  }

  #duplicate(): void {
    if (this.#duplicates.size >= maxDuplicates) return;
    let path = '';
    for (const step of this.#path) path += typeof step === 'number' ? `[${step}]` : path === '' ? step : `.${step}`;
    this.#duplicates.add(`duplicate field "${path}"`);
  }

  #error(reason: string) {
    return errorAt(this.#text, this.#at, reason);
  }
}

/**
 * A decimal integer as the smallest exact type: number within ±(2^53-1), bigint within 64 bits, and beyond them the
 * nearest double, as in Go.
 */
export function exactInteger(digits: string): number | bigint {
  const value = Number(digits);
  if (Number.isSafeInteger(value)) return value === 0 ? 0 : value;
  // Longer than any 64-bit integer: BigInt would take quadratic time for a number of a million digits.
  if (digits.length > 40) return value;
  const exact = BigInt(digits);
  return exact >= -(2n ** 63n) && exact < 2n ** 64n ? exact : value;
}

/** Sets a property without ever calling the setter of `__proto__`. */
export function setOwn(object: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__') {
    Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
  } else {
    object[key] = value;
  }
}
