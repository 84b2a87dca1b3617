import { Worker } from 'node:worker_threads';
import { DecodeError } from './decode-error.ts';
import { deadlineMs } from './limits.ts';
import type { Document, Format } from './parse.ts';
import type { WorkerMessage, WorkerReply, WorkerRequest } from './worker.ts';

/** The thread was ended from outside while it worked. */
export class DecodeThreadStopped extends Error {}

interface Job {
  readonly request: WorkerRequest;
  readonly resolve: (documents: readonly Document[]) => void;
  readonly reject: (error: Error) => void;
}

/** An idle thread costs about 8 MB; nothing big is sent most of the time. */
const idleMs = 30_000;
/** How many times its processor time an input may take on a busy machine. */
const MAX_SLOWDOWN = 5;

/**
 * One decoding thread, started when it is first needed and ended when idle, after its deadline, or when it runs out of
 * memory; the next input gets a new one. Inputs wait their turn. The deadline is processor time from an input's turn on,
 * when the thread is loaded: how busy the machine is must not decide whether an input is good.
 */
export class DecodeThread {
  readonly #entry: URL;
  readonly #deadlineMs: number;
  readonly #waiting: Job[] = [];
  #running: Job | undefined;
  #worker: Worker | undefined;
  #isReady = false;
  #idleTimer: NodeJS.Timeout | undefined;
  #deadlineTimer: NodeJS.Timeout | undefined;

  constructor(entry: URL, options: { deadlineMs?: number } = {}) {
    this.#entry = entry;
    this.#deadlineMs = options.deadlineMs ?? deadlineMs;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** @throws DecodeError when the input is refused, cannot be read in time or needs too much memory. */
  parse(bytes: Uint8Array, format: Format): Promise<readonly Document[]> {
    // A private copy, because posting a Buffer would copy the whole pool that it is a part of.
    const request: WorkerRequest = { bytes: new Uint8Array(bytes), format };
    return new Promise((resolve, reject) => {
      this.#waiting.push({ request, resolve, reject });
      this.#advance();
    });
  }

  /** Ends the thread; what it had to do is rejected with DecodeThreadStopped. */
  async stop(): Promise<void> {
    const jobs = [this.#running, ...this.#waiting.splice(0)];
    this.#running = undefined;
    for (const job of jobs) job?.reject(new DecodeThreadStopped('the decoder has been stopped'));
    await this.#discard();
  }

  #advance(): void {
    if (this.#running !== undefined) return;
    const job = this.#waiting.shift();
    clearTimeout(this.#idleTimer);
    if (job === undefined) {
      this.#idleTimer = setTimeout(() => void this.#discard(), idleMs).unref();
      return;
    }
    this.#running = job;
    this.#worker ??= this.#start();
    this.#worker.postMessage(job.request, [job.request.bytes.buffer as ArrayBuffer]);
    if (this.#isReady) this.#watchTime(this.#worker, job);
  }

  /** Ends the thread when the input has had its processor time, or waited for it for too long. */
  #watchTime(worker: Worker, job: Job): void {
    const startMs = performance.now();
    const before = worker.cpuUsage();
    // The thread may end before it can tell, and long before anybody asks for this: the job is failed then by its end.
    before.catch(() => {});
    const check = async () => {
      const { user, system } = await worker.cpuUsage(await before);
      if (job !== this.#running) return;
      const leftMs = Math.min(
        this.#deadlineMs - (user + system) / 1000,
        startMs + this.#deadlineMs * MAX_SLOWDOWN - performance.now(),
      );
      if (leftMs > 0) wait(leftMs);
      else this.#fail(new DecodeError(`reading takes longer than ${this.#deadlineMs / 1000} seconds`));
    };
    const wait = (ms: number) => {
      // The thread may end meanwhile, and cannot tell any more.
      this.#deadlineTimer = setTimeout(() => void check().catch(() => {}), ms);
    };
    wait(this.#deadlineMs);
  }

  #start(): Worker {
    const worker = new Worker(this.#entry, {
      name: 'decode',
      env: {},
      // Above what any input within the limits needs (170 MB), so that it is met only by a mistake in them.
      resourceLimits: { maxOldGenerationSizeMb: 320, maxYoungGenerationSizeMb: 16, stackSizeMb: 4 },
    });
    worker.unref();
    worker.on('message', (message: WorkerMessage) => {
      if (message.kind === 'ready') this.#becomeReady(worker);
      else this.#finish(worker, message);
    });
    worker.on('error', (error: Error & { code?: string }) => {
      if (worker !== this.#worker) return;
      const isMemory = error.code === 'ERR_WORKER_OUT_OF_MEMORY';
      this.#fail(isMemory ? new DecodeError('reading needs too much memory') : error);
    });
    worker.on('exit', (code) => {
      if (worker === this.#worker) this.#fail(new Error(`the decoding thread ended by itself with code ${code}`));
    });
    return worker;
  }

  #becomeReady(worker: Worker): void {
    if (worker !== this.#worker) return;
    this.#isReady = true;
    if (this.#running !== undefined) this.#watchTime(worker, this.#running);
  }

  #finish(worker: Worker, reply: WorkerReply): void {
    const job = this.#running;
    if (worker !== this.#worker || job === undefined) return;
    clearTimeout(this.#deadlineTimer);
    this.#running = undefined;
    if (reply.kind === 'documents') job.resolve(reply.documents);
    else job.reject(new DecodeError(reply.reason, reply.line, reply.column));
    this.#advance();
  }

  #fail(error: Error): void {
    const job = this.#running;
    this.#running = undefined;
    void this.#discard();
    job?.reject(error);
    this.#advance();
  }

  async #discard(): Promise<void> {
    clearTimeout(this.#deadlineTimer);
    clearTimeout(this.#idleTimer);
    const worker = this.#worker;
    this.#worker = undefined;
    this.#isReady = false;
    await worker?.terminate();
  }
}
