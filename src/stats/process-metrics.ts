import { readdirSync } from 'node:fs';
import { Counter, Gauge, type Registry } from 'prom-client';

/** What Prometheus' clients tell of their own process. Only when it is asked for: nothing is observed meanwhile. */
export function registerProcessMetrics(registry: Registry): void {
  const registers = [registry];
  new Counter({
    name: 'process_cpu_seconds_total',
    help: 'CPU time of the daemon.',
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  const gauge = (name: string, help: string, value: () => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(value());
      },
    });
  gauge('process_resident_memory_bytes', 'Memory of the daemon.', () => process.memoryUsage.rss());
  gauge('process_start_time_seconds', 'When the daemon was started.', () => performance.timeOrigin / 1000);
  gauge('process_open_fds', 'Files and sockets that the daemon has open.', () => readdirSync('/proc/self/fd').length);
}
