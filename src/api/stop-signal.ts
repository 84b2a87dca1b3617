/** Linux' numbers of the signals that `lifecycle.stopSignal` may name (pkg/apis/core/types.go), on x86 and ARM. */
const numbers: Readonly<Record<string, number>> = {
  SIGABRT: 6,
  SIGALRM: 14,
  SIGBUS: 7,
  SIGCHLD: 17,
  SIGCLD: 17,
  SIGCONT: 18,
  SIGFPE: 8,
  SIGHUP: 1,
  SIGILL: 4,
  SIGINT: 2,
  SIGIO: 29,
  SIGIOT: 6,
  SIGKILL: 9,
  SIGPIPE: 13,
  SIGPOLL: 29,
  SIGPROF: 27,
  SIGPWR: 30,
  SIGQUIT: 3,
  SIGSEGV: 11,
  SIGSTKFLT: 16,
  SIGSTOP: 19,
  SIGSYS: 31,
  SIGTERM: 15,
  SIGTRAP: 5,
  SIGTSTP: 20,
  SIGTTIN: 21,
  SIGTTOU: 22,
  SIGURG: 23,
  SIGUSR1: 10,
  SIGUSR2: 12,
  SIGVTALRM: 26,
  SIGWINCH: 28,
  SIGXCPU: 24,
  SIGXFSZ: 25,
};
const FIRST_REALTIME = 34;
const LAST_REALTIME = 64;

/** The kernel's number of `SIGUSR1`, `SIGRTMIN+3`, `SIGRTMAX-1`; undefined for a name that Kubernetes does not allow. PURE. */
export function signalNumber(name: string): number | undefined {
  if (Object.hasOwn(numbers, name)) return numbers[name];
  const [, base, distance = '0'] = /^SIG(RTMIN|RTMAX)(?:[+-]([1-9]\d?))?$/.exec(name) ?? [];
  if (base === undefined) return undefined;
  const isUp = base === 'RTMIN';
  if (name.includes(isUp ? '-' : '+') || Number(distance) > (isUp ? 15 : 14)) return undefined;
  return isUp ? FIRST_REALTIME + Number(distance) : LAST_REALTIME - Number(distance);
}

/** PURE. CRI's word for a signal that Kubernetes calls `SIGRTMIN+3`: `SIGRTMINPLUS3`. */
export function toCriSignal(name: string): string {
  return name.replace('+', 'PLUS').replace('-', 'MINUS');
}

/** PURE. The other way; undefined where the runtime says nothing. */
export function fromCriSignal(name: string): string | undefined {
  const signal = name.replace('PLUS', '+').replace('MINUS', '-');
  return signalNumber(signal) === undefined ? undefined : signal;
}
