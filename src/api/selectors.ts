import { checkLabelValue, checkQualifiedName } from './formats.ts';
import type { LabelSelector } from './meta.ts';
import { badRequest, type StatusError } from './status-error.ts';

/** Label and field selectors as they stand in URLs: `app=web,tier in (front,back),!old`, `status.phase!=Running`. */

export interface LabelMatcher {
  matches(labels: Readonly<Record<string, string>>): boolean;
}

export interface FieldMatcher {
  /** Names of the fields that the selector asks for. */
  readonly fields: readonly string[];
  /** The value that the field must have, where the selector asks for one. */
  exactValue(field: string): string | undefined;
  /**
   * Whether an object with these fields is selected.
   * @throws StatusError 400 for a field that is not among them.
   */
  matches(fields: Readonly<Record<string, string>>): boolean;
}

type Requirement =
  | { key: string; operator: 'in' | 'notin'; values: ReadonlySet<string> }
  | { key: string; operator: 'exists' | 'absent' }
  | { key: string; operator: 'gt' | 'lt'; value: bigint };

const maxSelectorLength = 65_536;

/** Parses a label selector. @throws StatusError 400. */
export function parseLabelSelector(text: string): LabelMatcher {
  const requirements = new LabelSelectorParser(text).parse();
  return { matches: (labels) => requirements.every((requirement) => matchesLabel(requirement, labels)) };
}

/** Whether labels match a selector that stands in an object; an empty one matches all. */
export function matchesLabelSelector(
  { matchLabels = {}, matchExpressions = [] }: LabelSelector,
  labels: Readonly<Record<string, string>>,
): boolean {
  const operators = { In: 'in', NotIn: 'notin', Exists: 'exists', DoesNotExist: 'absent' } as const;
  return (
    Object.entries(matchLabels).every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value) &&
    matchExpressions.every(({ key, operator, values = [] }) =>
      matchesLabel({ key, operator: operators[operator], values: new Set(values) }, labels),
    )
  );
}

/** Parses a field selector: `=`, `==` and `!=`, all of which must hold. @throws StatusError 400. */
export function parseFieldSelector(text: string): FieldMatcher {
  if (text.length > maxSelectorLength) throw badRequest('fieldSelector is too long');
  const terms = splitTerms(text).map((term) => parseFieldTerm(term, text));
  return {
    fields: terms.map(({ field }) => field),
    exactValue: (name) => terms.find(({ field, negated }) => field === name && !negated)?.value,
    matches: (fields) =>
      terms.every(({ field, negated, value }) => {
        const actual = Object.hasOwn(fields, field) ? fields[field] : undefined;
        if (actual === undefined) throw badRequest(`field label not supported: ${field}`);
        return (actual === value) !== negated;
      }),
  };
}

function matchesLabel(requirement: Requirement, labels: Readonly<Record<string, string>>): boolean {
  const value = Object.hasOwn(labels, requirement.key) ? labels[requirement.key] : undefined;
  switch (requirement.operator) {
    case 'exists':
      return value !== undefined;
    case 'absent':
      return value === undefined;
    case 'in':
      return value !== undefined && requirement.values.has(value);
    case 'notin':
      return value === undefined || !requirement.values.has(value);
    case 'gt':
    case 'lt': {
      const number = value === undefined ? undefined : parseInteger(value);
      if (number === undefined) return false;
      return requirement.operator === 'gt' ? number > requirement.value : number < requirement.value;
    }
  }
}

function parseInteger(text: string): bigint | undefined {
  return /^[+-]?\d{1,19}$/.test(text) ? BigInt(text.replace('+', '')) : undefined;
}

interface Token {
  kind: 'word' | '(' | ')' | ',' | '!' | '=' | '!=' | '>' | '<' | 'end';
  text: string;
}

const labelToken = /\s*(?:(?<symbol>==|!=|[(),!=<>])|(?<word>[^\s(),!=<>]+))/y;

/** requirement, requirement, ...; each `key`, `!key`, `key=value`, `key in (a,b)`, `key>1`. */
class LabelSelectorParser {
  readonly #text: string;
  readonly #tokens: Token[];
  #next = 0;

  constructor(text: string) {
    if (text.length > maxSelectorLength) throw badRequest('labelSelector is too long');
    this.#text = text;
    this.#tokens = tokenize(text);
  }

  parse(): Requirement[] {
    const requirements: Requirement[] = [];
    if (this.#peek().kind === 'end') return requirements;
    for (;;) {
      requirements.push(this.#requirement());
      const token = this.#take();
      if (token.kind === 'end') return requirements;
      if (token.kind !== ',') throw this.#unexpected(token, "',' or 'end of string'");
    }
  }

  #requirement(): Requirement {
    const negated = this.#peek().kind === '!';
    if (negated) this.#take();
    const key = this.#word('identifier');
    const problems = checkQualifiedName(key);
    if (problems.length > 0) throw this.#error(`key: Invalid value: ${JSON.stringify(key)}: ${problems.join('; ')}`);
    const next = this.#peek();
    if (negated || next.kind === ',' || next.kind === 'end') {
      return { key, operator: negated ? 'absent' : 'exists' };
    }
    return this.#operation(key);
  }

  #operation(key: string): Requirement {
    const token = this.#take();
    switch (token.kind) {
      case '=':
        return { key, operator: 'in', values: new Set([this.#value()]) };
      case '!=':
        return { key, operator: 'notin', values: new Set([this.#value()]) };
      case '>':
      case '<': {
        const value = parseInteger(this.#value());
        if (value === undefined) throw this.#error("for 'Gt', 'Lt' operators, the value must be an integer");
        return { key, operator: token.kind === '>' ? 'gt' : 'lt', value };
      }
      default:
        if (token.text === 'in' || token.text === 'notin') {
          return { key, operator: token.text, values: this.#valueList() };
        }
        throw this.#unexpected(token, 'in, notin, =, ==, !=, gt, lt');
    }
  }

  #valueList(): Set<string> {
    const open = this.#take();
    if (open.kind !== '(') throw this.#unexpected(open, "'('");
    const values = new Set<string>();
    for (;;) {
      values.add(this.#value());
      const token = this.#take();
      if (token.kind === ')') return values;
      if (token.kind !== ',') throw this.#unexpected(token, "',' or ')'");
    }
  }

  /** A value may be empty: `app=`. */
  #value(): string {
    const token = this.#peek();
    if (token.kind !== 'word') return '';
    this.#take();
    const problems = checkLabelValue(token.text);
    if (problems.length > 0) {
      throw this.#error(`values[0]: Invalid value: ${JSON.stringify(token.text)}: ${problems.join('; ')}`);
    }
    return token.text;
  }

  #word(wanted: string): string {
    const token = this.#take();
    if (token.kind !== 'word') throw this.#unexpected(token, wanted);
    return token.text;
  }

  #peek(): Token {
    return this.#tokens[this.#next] ?? { kind: 'end', text: '' };
  }

  #take(): Token {
    const token = this.#peek();
    this.#next++;
    return token;
  }

  #unexpected(token: Token, wanted: string): StatusError {
    return this.#error(`found '${token.text}', expected: ${wanted}`);
  }

  #error(problem: string): StatusError {
    const shown = JSON.stringify(this.#text.slice(0, 256));
    return badRequest(`unable to parse requirement: ${problem} (labelSelector ${shown})`);
  }
}

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  const pattern = new RegExp(labelToken);
  for (let match = pattern.exec(text); match?.groups; match = pattern.exec(text)) {
    const { symbol, word } = match.groups;
    if (word !== undefined) tokens.push({ kind: 'word', text: word });
    else if (symbol !== undefined) {
      tokens.push({ kind: symbol === '==' ? '=' : (symbol as Token['kind']), text: symbol });
    }
  }
  return tokens;
}

interface FieldTerm {
  field: string;
  negated: boolean;
  value: string;
}

/** Splits at commas that no backslash escapes. */
function splitTerms(text: string): string[] {
  return (text.match(/(?:\\[\s\S]|[^,\\])+/g) ?? []).filter((term) => term.trim() !== '');
}

const fieldTerm = /^(?<field>[^=!]+)(?<operator>!=|==|=)(?<value>[\s\S]*)$/;

function parseFieldTerm(term: string, text: string): FieldTerm {
  const groups = fieldTerm.exec(term)?.groups;
  if (!groups) {
    const shown = JSON.stringify(text.slice(0, 256));
    throw badRequest(`invalid field selector ${shown}; can't understand '${term.slice(0, 256)}'`);
  }
  const { field = '', operator, value = '' } = groups;
  return {
    field: field.trim(),
    negated: operator === '!=',
    value: value.replaceAll(/\\([\s\S])/g, '$1'),
  };
}
