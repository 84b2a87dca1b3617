import { join } from 'node:path';
import { destination, pino } from 'pino';
import packageJson from '../package.json' with { type: 'json' };
import { exitCodes, helpText, parseCommand, UsageError } from './config/cli.ts';
import { type Config, loadConfig } from './config/config.ts';
import { preflight } from './config/preflight.ts';
import { printSettings } from './config/print.ts';
import { ConfigError } from './config/problem.ts';
import type { Settings } from './config/settings.ts';
import type { Daemon } from './daemon.ts';
import { keepCompiledCode } from './util/compile-cache.ts';
import type { Logger } from './util/log.ts';
import { printable } from './util/printable.ts';
import { SystemdNotifier } from './util/sd-notify.ts';

/** How long stopping may take before the process ends anyway, all in all within 5 s. Pods stay as they are. */
const stopTimeoutMs = 4000;

// Before anything is written: nothing that the daemon makes is for others, unless it says so.
process.umask(0o077);

/** Runs the command line to its end. @returns the exit code. */
async function main(argv: readonly string[]): Promise<number> {
  try {
    const command = parseCommand(argv);
    switch (command.kind) {
      case 'help':
        process.stdout.write(helpText());
        return exitCodes.ok;
      case 'version':
        process.stdout.write(`${packageJson.version}\n`);
        return exitCodes.ok;
      default: {
        const { settings, config } = await loadConfig({ file: command.configFile, flags: command.flags });
        if (command.kind === 'config print') process.stdout.write(printable(printSettings(settings)));
        if (command.kind === 'config check') process.stdout.write('the configuration is right\n');
        if (command.kind === 'secrets rotate-key') await rotateSecretsKey(config);
        if (command.kind === 'cert' || command.kind.startsWith('token ')) {
          const { runIdentityCommand } = await import('./identity-commands.ts');
          return (await runIdentityCommand(command, config, process)) ? exitCodes.ok : exitCodes.failure;
        }
        return command.kind === 'run' ? await runDaemon(config, settings) : exitCodes.ok;
      }
    }
  } catch (error) {
    if (error instanceof UsageError) {
      process.stderr.write(printable(`mini-kubelet: ${error.message}\nSee mini-kubelet --help\n`));
      return exitCodes.usage;
    }
    if (error instanceof ConfigError) {
      process.stderr.write(printable(`mini-kubelet: the configuration is wrong:\n${error.message}\n`));
      return exitCodes.configuration;
    }
    throw error;
  }
}

/**
 * 1. listens to signals, since all that follows can take long; 2. looks for what is missing on this machine;
 * 3. starts the daemon and tells systemd; 4. waits for a signal; 5. stops within 5 s. Pods stay as they are.
 */
async function runDaemon(config: Config, settings: Settings): Promise<number> {
  const logger = makeLogger(config);
  endOnMistakes(logger);
  const stopRequested = listenToSignals(logger);
  const notifier = new SystemdNotifier({
    socket: process.env.NOTIFY_SOCKET,
    watchdogMicros: process.env.WATCHDOG_USEC,
    watchdogPid: process.env.WATCHDOG_PID,
    pid: process.pid,
    logger,
  });
  const { errors, warnings } = await preflight(config, notifier.isWanted);
  for (const warning of warnings) logger.warn(warning);
  for (const error of errors) logger.fatal(error);
  if (errors.length > 0) return exitCodes.failure;

  keepCompiledCode(config.stateDirectory, import.meta.filename);
  // Loaded only now, because the other commands need none of it.
  const { createDaemon } = await import('./daemon.ts');
  const daemon = createDaemon(config, logger, {
    systemBusAddress: process.env.DBUS_SYSTEM_BUS_ADDRESS,
    settings,
  });
  const started = daemon.start();
  try {
    if ((await Promise.race([started, stopRequested])) !== 'stop') {
      await notifier.ready(() => daemon.isHealthy());
      logger.info({ version: packageJson.version, node: process.version, pid: process.pid }, 'mini-kubelet is ready');
      await stopRequested;
    } else {
      started.catch((error: unknown) => logger.warn({ err: error }, 'starting was broken off'));
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    logger.fatal({ err: error }, `mini-kubelet could not be started: ${reason}`);
    return exitCodes.failure;
  }
  await notifier.stopping();
  return stopDaemon(daemon, logger);
}

/** The daemon may be running: it goes on with the keys that it has, and takes the new one at its next start. */
async function rotateSecretsKey({ stateDirectory }: Config): Promise<void> {
  const { addSecretKey, secretKeysFile } = await import('./store/secret-keys.ts');
  const path = join(stateDirectory, secretKeysFile);
  const [added] = addSecretKey(path);
  process.stdout.write(
    `the key ${added?.id} was added to ${path}; restart mini-kubelet to encrypt the Secrets with it\n`,
  );
}

async function stopDaemon(daemon: Daemon, logger: Logger): Promise<number> {
  const deadline = new Promise<'late'>((resolve) => setTimeout(resolve, stopTimeoutMs, 'late').unref());
  try {
    if ((await Promise.race([daemon.stop(), deadline])) === 'late') {
      logger.warn(`stopping takes longer than ${stopTimeoutMs / 1000} s: ending anyway`);
    } else {
      logger.info('mini-kubelet has stopped, pods go on');
    }
    return exitCodes.ok;
  } catch (error) {
    logger.fatal({ err: error }, 'stopping failed');
    return exitCodes.failure;
  }
}

/** Written synchronously, so that the last words of a process that ends are not lost. */
function makeLogger(config: Config): Logger {
  const stdout = destination({ fd: 1, sync: true });
  // Whoever read the log is gone: that must not end the daemon.
  stdout.on('error', () => {});
  const { logLevel: level } = config;
  // Pods have a say in what is logged, and JSON lets the upper control characters through.
  const hooks = { streamWrite: printable };
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime, hooks }, stdout);
}

/** @returns a promise for SIGTERM or SIGINT. A second one of them ends the process at once. */
function listenToSignals(logger: Logger): Promise<'stop'> {
  process.on('SIGHUP', () => logger.info('SIGHUP: the configuration is read at start only, restart to apply a change'));
  process.on('SIGQUIT', () => logger.info({ memory: process.memoryUsage() }, 'SIGQUIT: still running'));
  // A listener keeps Node from opening its inspector, which would let any process with the host's network run code here.
  process.on('SIGUSR1', () => logger.info('SIGUSR1: ignored'));
  process.on('SIGUSR2', () => logger.info('SIGUSR2: ignored'));
  process.on('SIGPIPE', () => {});
  return new Promise((resolve) => {
    let isStopping = false;
    const stop = (signal: string) => {
      if (isStopping) process.exit(exitCodes.failure);
      isStopping = true;
      logger.info(`${signal}: stopping`);
      resolve('stop');
    };
    process.on('SIGTERM', stop);
    process.on('SIGINT', stop);
  });
}

/** A mistake in the program: its state is not to be trusted any more, and the next start observes everything anew. */
function endOnMistakes(logger: Logger): void {
  const end = (error: unknown) => {
    logger.fatal({ err: error }, 'a mistake in mini-kubelet ends it');
    process.exit(exitCodes.failure);
  };
  process.on('uncaughtException', end);
  process.on('unhandledRejection', end);
}

try {
  process.exit(await main(process.argv.slice(2)));
} catch (error) {
  const words = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(printable(`mini-kubelet: ${words}\n`));
  process.exit(exitCodes.failure);
}
