import type { Logger as PinoLogger } from 'pino';

/** The one logger type that every part takes; `main.ts` makes the root one. */
export type Logger = PinoLogger;
