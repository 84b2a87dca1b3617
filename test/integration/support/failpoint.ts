/**
 * Faults as text, in the notation of containerd's and FreeBSD's failpoints: terms joined by `->`, each with an optional
 * count, taken one after the other; a term without a count stays for ever, and after the last counted one all is well.
 *
 *     1*off->1*error(boom)->1*delay(500)
 *
 * | term | what happens |
 * |---|---|
 * | off | nothing |
 * | error(TEXT) | the call fails and does not reach the runtime; TEXT may begin with a code: `NotFound: no such thing` |
 * | errorAfter(TEXT) | the runtime does it, and its answer is replaced by the error |
 * | delay(MS), delayAfter(MS) | the request, or the answer, is late |
 * | hold, holdAfter | the request, or the answer, waits for `release` |
 */
export type FaultAction =
  | { readonly kind: 'off' }
  | { readonly kind: 'error' | 'errorAfter'; readonly code: number; readonly message: string }
  | { readonly kind: 'delay' | 'delayAfter'; readonly milliseconds: number }
  | { readonly kind: 'hold' | 'holdAfter' };

const codes: Readonly<Record<string, number>> = {
  Cancelled: 1,
  Unknown: 2,
  InvalidArgument: 3,
  DeadlineExceeded: 4,
  NotFound: 5,
  AlreadyExists: 6,
  PermissionDenied: 7,
  ResourceExhausted: 8,
  FailedPrecondition: 9,
  Aborted: 10,
  OutOfRange: 11,
  Unimplemented: 12,
  Internal: 13,
  Unavailable: 14,
  DataLoss: 15,
  Unauthenticated: 16,
};

export class Failpoint {
  readonly #terms: { remaining: number; action: FaultAction }[];

  /** @throws on a text that is not of the form above. */
  constructor(text: string) {
    this.#terms = text.split('->').map(parseTerm);
  }

  /** What the next call meets. */
  next(): FaultAction {
    const term = this.#terms.find(({ remaining }) => remaining > 0);
    if (term === undefined) return { kind: 'off' };
    term.remaining -= 1;
    return term.action;
  }
}

function parseTerm(text: string): { remaining: number; action: FaultAction } {
  const match = /^\s*(?:(\d+)\*)?(\w+)(?:\((.*)\))?\s*$/s.exec(text);
  if (match === null) throw new Error(`not a failpoint term: ${text}`);
  const [, count, kind = '', argument = ''] = match;
  return { remaining: count === undefined ? Number.POSITIVE_INFINITY : Number(count), action: action(kind, argument) };
}

function action(kind: string, argument: string): FaultAction {
  switch (kind) {
    case 'off':
    case 'hold':
    case 'holdAfter':
      return { kind };
    case 'delay':
    case 'delayAfter':
      return { kind, milliseconds: Number(argument) };
    case 'error':
    case 'errorAfter': {
      const [, name = 'Unknown', message = argument] = /^(\w+): (.*)$/s.exec(argument) ?? [];
      const code = codes[name];
      if (code === undefined) throw new Error(`not a gRPC status code: ${name}`);
      return { kind, code, message };
    }
    default:
      throw new Error(`not a kind of failpoint: ${kind}`);
  }
}
