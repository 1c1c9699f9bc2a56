// A child process of the fleet benchmark: the parent asks and the child answers, and the child ends with its parent.
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

interface Asked {
  readonly number: number;
  readonly question: unknown;
}

interface Answered {
  readonly number: number;
  readonly answer?: unknown;
  readonly error?: string;
}

interface Waiting {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** The parent's side. `Questions` has the type of the answer for the `kind` of each question. */
export class Child<Questions> {
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  #asked = 0;

  /** `script` is the name of a file beside this one. */
  constructor(script: string, args: readonly string[]) {
    const path = fileURLToPath(new URL(script, import.meta.url));
    this.#process = fork(path, args, { execArgv: ['--import', 'tsx'] });
    this.#process.on('message', ({ number, answer, error }: Answered) => {
      const waiting = this.#waiting.get(number);
      this.#waiting.delete(number);
      if (error === undefined) waiting?.resolve(answer);
      else waiting?.reject(new Error(error));
    });
    // Without its end, nothing that was asked would ever be answered.
    for (const event of ['exit', 'error']) {
      this.#process.on(event, () => this.#lose(new Error(`${script} has ended`)));
    }
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Rejects when the child fails or ends, and when the signal aborts. */
  async ask<Kind extends keyof Questions>(
    question: { readonly kind: Kind } & Readonly<Record<string, unknown>>,
    signal: AbortSignal,
  ): Promise<Questions[Kind]> {
    signal.throwIfAborted();
    const number = ++this.#asked;
    return new Promise<Questions[Kind]>((resolve, reject) => {
      const abort = (): void => {
        this.#waiting.delete(number);
        reject(signal.reason as Error);
      };
      signal.addEventListener('abort', abort, { once: true });
      const settled = (): void => signal.removeEventListener('abort', abort);
      this.#waiting.set(number, {
        resolve: (answer) => {
          settled();
          resolve(answer as Questions[Kind]);
        },
        reject: (error) => {
          settled();
          reject(error);
        },
      });
      this.#process.send({ number, question } satisfies Asked, (error) => {
        if (error !== null) this.#lose(error);
      });
    });
  }

  /** Killed; leases are left to end by themselves. Idempotent. */
  async end(): Promise<void> {
    const { pid, exitCode, signalCode } = this.#process;
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    const ended = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await ended;
  }

  #lose(error: Error): void {
    const lost = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of lost) reject(error);
  }
}

/** The child's side: answers every question, and ends when the parent does. */
export function answerParent(answer: (question: unknown) => Promise<unknown>): void {
  const send = (message: Answered): void => void process.send?.(message);
  process.on('message', ({ number, question }: Asked) => {
    answer(question).then(
      (given) => send({ number, answer: given }),
      (error: unknown) => send({ number, error: String(error) }),
    );
  });
  process.on('disconnect', () => process.exit());
  // The parent ends the children when it is interrupted.
  process.on('SIGINT', () => undefined);
}
