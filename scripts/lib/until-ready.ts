// usage: node until-ready.ts SOCKET NAMESPACE POD SECONDS
// Watches one pod; ends with 0 when it is ready, with 1 when it never will be or the time is over, and says on the way
// what it is waiting for.
import { request } from 'node:http';
import { createInterface } from 'node:readline';

interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'ERROR';
  readonly object: {
    readonly message?: string;
    readonly status?: {
      readonly phase?: string;
      readonly reason?: string;
      readonly message?: string;
      readonly conditions?: readonly { readonly type: string; readonly status: string }[];
      readonly containerStatuses?: readonly {
        readonly name: string;
        readonly state?: { readonly waiting?: { readonly reason?: string; readonly message?: string } };
      }[];
    };
  };
}

const [socketPath, namespace, pod, seconds] = process.argv.slice(2);
const path = `/api/v1/namespaces/${namespace}/pods?watch=true&fieldSelector=metadata.name%3D${pod}`;
const watch = request({ socketPath, path, signal: AbortSignal.timeout(Number(seconds) * 1000) }, (response) => {
  let lastSaid = '';
  // Without a resourceVersion a watch begins with what there is.
  createInterface({ input: response }).on('line', (line) => {
    const event = JSON.parse(line) as WatchEvent;
    const { status } = event.object;
    if (status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True')) process.exit(0);
    const waiting = status?.containerStatuses?.flatMap(({ name, state }) =>
      state?.waiting ? [`${name}: ${[state.waiting.reason, state.waiting.message].filter(Boolean).join(': ')}`] : [],
    );
    const said = [status?.phase, status?.reason, status?.message ?? event.object.message, ...(waiting ?? [])];
    const text = said.filter(Boolean).join(', ');
    if (text !== lastSaid) console.error(`    ${text}`);
    lastSaid = text;
    const isOver = status?.phase === 'Failed' || status?.phase === 'Succeeded';
    if (isOver || event.type === 'DELETED' || event.type === 'ERROR') process.exit(1);
  });
  response.on('error', end);
});
watch.on('error', end);
watch.end();

function end(error: Error): void {
  if (error.name !== 'AbortError' && error.name !== 'TimeoutError') console.error(`    ${error.message}`);
  process.exit(1);
}
