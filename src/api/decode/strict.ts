/** The problems of one decoded object that strict decoding refuses and the default mode only warns of. */
export interface StrictProblems {
  readonly format: 'json' | 'yaml';
  /** As the decoder gives them. */
  readonly duplicates: readonly string[];
  /** Paths of unknown fields, like `spec.containers[0].imagee`. */
  readonly unknownFields: readonly string[];
  /** The decoded object: JSON's problems are listed in its order. */
  readonly value: unknown;
}

/**
 * One text for each problem, as Kubernetes' `Warning:` headers carry them: `duplicate field "metadata.name"`,
 * `line 5: key "name" already set in map`, `unknown field "spec.unknown1"`. At most 100, as there.
 *
 * In JSON a field that is both unknown and duplicated is reported only as unknown, and so is everything below it.
 */
export function strictDecodingProblems(problems: StrictProblems): string[] {
  const { unknownFields } = problems;
  const unknown = unknownFields.map((path) => `unknown field "${path}"`);
  if (problems.format === 'yaml') return [...problems.duplicates, ...unknown].slice(0, 100);

  const duplicates = problems.duplicates.filter((message) => {
    const path = message.slice('duplicate field "'.length, -1);
    return !unknownFields.some((u) => path === u || path.startsWith(`${u}.`) || path.startsWith(`${u}[`));
  });
  const messages = [...new Set([...duplicates, ...unknown])];
  if (duplicates.length === 0) return messages.slice(0, 100);
  const order = documentOrder(problems.value, new Set(messages.map(pathOf)));
  return messages.sort((a, b) => (order.get(pathOf(a)) ?? 0) - (order.get(pathOf(b)) ?? 0)).slice(0, 100);
}

/**
 * The message of the 400 in strict mode, as `strict decoding error: ` and the problems with commas between them, where
 * YAML's duplicates come as the one message of the Go library. Undefined when there is no problem.
 */
export function strictDecodingMessage(problems: StrictProblems): string | undefined {
  const messages = strictDecodingProblems(problems);
  if (messages.length === 0) return undefined;
  if (problems.format === 'json' || problems.duplicates.length === 0)
    return `strict decoding error: ${messages.join(', ')}`;
  const lines = messages.filter((message) => message.startsWith('line '));
  const rest = messages.slice(lines.length);
  const yaml = `yaml: unmarshal errors:${lines.map((line) => `\n  ${line}`).join('')}`;
  return `strict decoding error: ${[yaml, ...rest].join(', ')}`;
}

function pathOf(message: string): string {
  return message.slice(message.indexOf('"') + 1, -1);
}

/** The rank of each wanted path in a walk through the value. */
function documentOrder(value: unknown, wanted: ReadonlySet<string>): Map<string, number> {
  const ranks = new Map<string, number>();
  const walk = (node: unknown, path: string): void => {
    if (wanted.has(path)) ranks.set(path, ranks.size);
    if (ranks.size === wanted.size || typeof node !== 'object' || node === null) return;
    if (Array.isArray(node)) {
      for (const [i, item] of node.entries()) walk(item, `${path}[${i}]`);
    } else {
      for (const [key, item] of Object.entries(node)) walk(item, path === '' ? key : `${path}.${key}`);
    }
  };
  walk(value, '');
  return ranks;
}
