// A WorkerProcess: one worker as the control process deals with it, from its start to its end.
import type { ExplainedCall, Explanation } from '../../admin/view.ts';
import type { Address } from '../../core/address.ts';
import type { Clock } from '../../core/clock.ts';
import { ConfigError, RuntimeError } from '../../core/errors.ts';
import type { SnapshotSource } from '../../upstream/upstreams.ts';
import type { Child } from './child.ts';
import {
  parseFromWorker,
  type FromWorker,
  type StartOrder,
  type ToWorker,
  type WorkerReport,
} from './messages.ts';
import { Supply } from './supply.ts';

export interface WorkerProcessDeps {
  readonly child: Child;
  readonly source: Omit<SnapshotSource, 'names'>;
  /** Null when they cannot be had. Never rejects. */
  readonly names: () => Promise<readonly string[] | null>;
  readonly clock: Clock;
}

export type WorkerState =
  | { readonly kind: 'starting' }
  | { readonly kind: 'serving'; readonly sinceMs: number }
  | { readonly kind: 'draining' }
  | { readonly kind: 'ended' };

/** A worker that is busy answers late; what it said before stands until then. */
const reportTimeoutMs = 1000;
const explainTimeoutMs = 2500;
const explanationsMax = 16;
/** Closing is quick; a worker that takes longer is stuck. */
const closeTimeoutMs = 300;

export class WorkerProcess {
  readonly pid: number;
  /** Resolves when it serves, with the proxy's address; rejects with a ConfigError or RuntimeError when it never will. */
  readonly serving: Promise<Address>;
  /** Resolves when the process has ended, with its exit code or the signal. */
  readonly exited: Promise<number | string>;
  readonly #deps: WorkerProcessDeps;
  readonly #order: StartOrder;
  readonly #supply: Supply;
  readonly #drained: Promise<void>;
  readonly #explanations = new Map<number, (explanation: Explanation | undefined) => void>();
  #onServing: (address: Address) => void = () => undefined;
  #onFailed: (error: Error) => void = () => undefined;
  #onDrained: () => void = () => undefined;
  #onReport: (() => void) | undefined;
  #reporting: Promise<void> | undefined;
  #lastId = 0;
  #state: WorkerState = { kind: 'starting' };
  #report: WorkerReport | undefined;

  constructor(deps: WorkerProcessDeps, order: StartOrder) {
    const { child, source, clock } = deps;
    this.#deps = deps;
    this.#order = order;
    this.pid = child.pid;
    this.#supply = new Supply({ source, clock, send: child.send.bind(child) });
    this.serving = new Promise((resolve, reject) => {
      this.#onServing = resolve;
      this.#onFailed = reject;
    });
    // Who does not wait for it learns of the failure from the exit.
    this.serving.catch(() => undefined);
    this.#drained = new Promise((resolve) => {
      this.#onDrained = resolve;
    });
    this.exited = new Promise((resolve) => {
      child.onExit((how) => {
        this.#onExit(how);
        resolve(how);
      });
    });
    child.onMessage((value) => {
      const message = parseFromWorker(value);
      if (message !== undefined) this.#receive(message);
    });
  }

  get state(): WorkerState {
    return this.#state;
  }

  /** The latest. */
  get report(): WorkerReport | undefined {
    return this.#report;
  }

  /** Asks for a new report. Resolves when it has come or takes too long; at most one question is open. */
  async refresh(): Promise<void> {
    if (this.#state.kind !== 'serving' && this.#state.kind !== 'draining') return;
    this.#reporting ??= new Promise((resolve) => {
      this.#onReport = resolve;
      this.#send({ kind: 'report', id: ++this.#lastId });
    });
    await this.#within(this.#reporting, reportTimeoutMs);
  }

  /** Undefined when the worker cannot say, or not in time. */
  async explain(service: string, call: ExplainedCall): Promise<Explanation | undefined> {
    if (this.#explanations.size >= explanationsMax) return undefined;
    const id = ++this.#lastId;
    const asked = new Promise<Explanation | undefined>((resolve) => {
      this.#explanations.set(id, resolve);
      this.#send({ kind: 'explain', id, service, call });
    });
    return this.#within(asked, explainTimeoutMs);
  }

  /** Resolves when its connections have ended, it gave up waiting for them, or the process has ended. */
  async drain(timeoutMs: number): Promise<void> {
    if (this.#state.kind === 'starting') this.#deps.child.kill();
    if (this.#state.kind === 'serving') {
      this.#state = { kind: 'draining' };
      this.#send({ kind: 'drain', timeoutMs });
    }
    await Promise.race([this.#drained, this.exited]);
  }

  /** Resolves when the process has ended, or cannot be ended. */
  async close(): Promise<void> {
    if (this.#state.kind === 'ended') return;
    this.#send({ kind: 'close' });
    await this.#within(this.exited, closeTimeoutMs);
    if (this.#hasEnded()) return;
    this.#deps.child.kill();
    await this.#within(this.exited, closeTimeoutMs);
  }

  #receive(message: FromWorker): void {
    switch (message.kind) {
      case 'awake':
        this.#send(this.#order);
        break;
      case 'serving':
        this.#state = { kind: 'serving', sinceMs: this.#deps.clock.nowMs() };
        this.#onServing(message.address);
        break;
      case 'failed':
        this.#onFailed(failure(message));
        break;
      case 'report':
      case 'drained':
        this.#take(message);
        break;
      case 'explained':
        this.#explanations.get(message.id)?.(message.explanation ?? undefined);
        this.#explanations.delete(message.id);
        break;
      default:
        this.#serve(message);
    }
  }

  /** What a worker wants of the registry. */
  #serve(message: Extract<FromWorker, { kind: 'watch' | 'unwatch' | 'names' | 'unreachable' }>) {
    const { source, names } = this.#deps;
    switch (message.kind) {
      case 'watch':
        if (!this.#hasEnded()) this.#supply.watch(message.service);
        break;
      case 'unwatch':
        this.#supply.unwatch(message.service);
        break;
      case 'names':
        void names().then((list) => {
          this.#send({ kind: 'names', id: message.id, names: list });
        });
        break;
      case 'unreachable':
        source.reportUnreachable(message.service, message.instance);
    }
  }

  #take(message: Extract<FromWorker, { kind: 'report' | 'drained' }>): void {
    this.#report = message.report;
    if (message.kind === 'drained') {
      this.#onDrained();
      return;
    }
    this.#reporting = undefined;
    this.#onReport?.();
  }

  #onExit(how: number | string): void {
    this.#state = { kind: 'ended' };
    this.#supply.close();
    this.#onReport?.();
    for (const answer of this.#explanations.values()) answer(undefined);
    this.#explanations.clear();
    this.#onFailed(new RuntimeError(`a worker has ended while it started (${how})`));
  }

  #hasEnded(): boolean {
    return this.#state.kind === 'ended';
  }

  #send(message: ToWorker): void {
    if (!this.#hasEnded()) this.#deps.child.send(message, () => undefined);
  }

  /** Undefined when it takes longer. */
  #within<T>(pending: Promise<T>, timeoutMs: number): Promise<T | undefined> {
    return new Promise((resolve) => {
      const timer = this.#deps.clock.after(timeoutMs, () => {
        resolve(undefined);
      });
      void pending.then((value) => {
        timer.cancel();
        resolve(value);
      });
    });
  }
}

function failure({ isConfig, message }: Extract<FromWorker, { kind: 'failed' }>): Error {
  return isConfig ? new ConfigError(message) : new RuntimeError(message);
}
