// The Workers: as many processes as are wanted, kept at that number, started and ended as one proxy.
import type {
  RequestCount,
  UsedServiceStatus,
  WorkersStatus,
  WorkerStatus,
} from '../../admin/view.ts';
import { formatAddress, type Address } from '../../core/address.ts';
import { backoffMs } from '../../core/backoff.ts';
import type { Clock, Timer } from '../../core/clock.ts';
import type { Component } from '../../core/component.ts';
import { ConfigError, messageOf } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';
import type { Random } from '../../core/random.ts';
import type { SnapshotSource } from '../../upstream/upstreams.ts';
import type { Child } from './child.ts';
import { hasAnyPort, withFreePorts } from './free-ports.ts';
import type { StartOrder } from './messages.ts';
import { countersOf, sumRequests, sumUses } from './sum.ts';
import { WorkerProcess } from './worker-process.ts';

export interface WorkersDeps {
  readonly fork: () => Child;
  readonly source: SnapshotSource;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** The port of the admin API, which listens already when the workers are started. */
  readonly reservedPort: () => number;
}

export interface WorkersOptions {
  readonly count: number;
  readonly order: Omit<StartOrder, 'kind' | 'reservedPort'>;
}

type Phase = 'new' | 'starting' | 'serving' | 'draining' | 'closed';

const backoff = { baseMs: 200, capMs: 5000 };
/** A worker that has served for this long did not die of its start. */
const soundMs = 10_000;
/** A free port may be lost before a worker listens on it. */
const startsMax = 3;
/** Services whose counters outlive the worker that counted. */
const endedUsesMax = 1000;

export class Workers implements Component {
  readonly #deps: WorkersDeps;
  readonly #options: WorkersOptions;
  readonly #running = new Set<WorkerProcess>();
  readonly #closing = new AbortController();
  readonly #timers = new Set<Timer>();
  #phase: Phase = 'new';
  #order: StartOrder | undefined;
  #address: Address | undefined;
  #names: Promise<readonly string[] | null> | undefined;
  /** Deaths in short order. */
  #failures = 0;
  #lost = 0;
  #endedCpuMs = 0;
  #endedUses: readonly UsedServiceStatus[] = [];
  #endedUnknownRequests: readonly RequestCount[] = [];

  constructor(deps: WorkersDeps, options: WorkersOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  get isListening(): boolean {
    return this.#address !== undefined;
  }

  /** `http://HOST:PORT` that all workers listen on. Throws before the start. */
  get url(): string {
    if (this.#address === undefined) throw new Error('the workers have not started');
    return `http://${formatAddress(this.#address)}`;
  }

  /** Resolves when all serve. Rejects with a ConfigError when they cannot listen; then none is left. */
  async start(): Promise<void> {
    if (this.#phase !== 'new') return;
    this.#phase = 'starting';
    try {
      // Alone, so that no two of them find a stale socket file and remove what the other has made.
      this.#address = await this.#startFirst(startsMax);
      const others = Array.from({ length: this.#options.count - 1 }, () => this.#launch().serving);
      await Promise.all(others);
    } catch (error) {
      await this.close();
      throw error;
    }
    if (!this.#isPhase('starting')) return;
    this.#phase = 'serving';
    this.#fillUp();
  }

  /** Takes no new connection. Resolves when the connections of all have ended, or at the timeout. Never rejects. */
  async drain(timeoutMs: number): Promise<void> {
    if (this.#phase === 'closed') return;
    this.#phase = 'draining';
    this.#cancelTimers();
    await Promise.all([...this.#running].map((worker) => worker.drain(timeoutMs)));
  }

  async close(): Promise<void> {
    this.#phase = 'closed';
    this.#closing.abort();
    this.#cancelTimers();
    await Promise.all([...this.#running].map((worker) => worker.close()));
  }

  /** Asks every worker for its numbers; takes a second at most. */
  async refresh(): Promise<void> {
    await Promise.all([...this.#running].map((worker) => worker.refresh()));
  }

  /** Those that serve, each in turn the first. */
  inTurn(): readonly WorkerProcess[] {
    const [first, ...others] = this.#running;
    if (first !== undefined) {
      this.#running.delete(first);
      this.#running.add(first);
    }
    const all = first === undefined ? [] : [first, ...others];
    return all.filter(({ state }) => state.kind === 'serving');
  }

  /** The services that any of them uses, or has used before it ended: as of the latest refresh, and without the ages of lists. */
  uses(): readonly UsedServiceStatus[] {
    const reports = [...this.#running].map(({ report }) => report?.services ?? []);
    return sumUses([...reports, this.#endedUses]);
  }

  /** As `uses`, for what no service has. */
  unknownRequests(): readonly RequestCount[] {
    const reports = [...this.#running].flatMap(({ report }) => report?.unknownRequests ?? []);
    return sumRequests([...reports, ...this.#endedUnknownRequests]);
  }

  status(): WorkersStatus {
    return {
      wanted: this.#options.count,
      lost: this.#lost,
      endedCpuMs: this.#endedCpuMs,
      processes: [...this.#running].flatMap(showWorker).sort((a, b) => a.pid - b.pid),
    };
  }

  async #startFirst(triesLeft: number): Promise<Address> {
    const { order } = this.#options;
    const proxy = hasAnyPort(order.proxy) ? await withFreePorts(order.proxy) : order.proxy;
    this.#order = { ...order, kind: 'start', proxy, reservedPort: this.#deps.reservedPort() };
    const first = this.#launch();
    try {
      return await first.serving;
    } catch (error) {
      const mayBeTaken = error instanceof ConfigError && proxy !== order.proxy;
      if (!mayBeTaken || triesLeft <= 1 || !this.#isPhase('starting')) throw error;
      await first.close();
      return this.#startFirst(triesLeft - 1);
    }
  }

  #launch(): WorkerProcess {
    if (this.#order === undefined) throw new Error('the workers have no order yet');
    const { fork, source, clock } = this.#deps;
    const names = (): Promise<readonly string[] | null> => this.#readNames();
    const worker = new WorkerProcess({ child: fork(), source, names, clock }, this.#order);
    this.#running.add(worker);
    void this.#accompany(worker);
    return worker;
  }

  /** Never rejects. */
  async #accompany(worker: WorkerProcess): Promise<void> {
    const { clock, logger } = this.#deps;
    const { pid } = worker;
    let servedSinceMs = Infinity;
    try {
      await worker.serving;
      servedSinceMs = clock.nowMs();
      logger.info({ pid }, 'a worker serves');
    } catch (error) {
      if (this.#isPhase('serving'))
        logger.error({ pid, cause: messageOf(error) }, 'a worker failed');
    }
    const how = await worker.exited;
    this.#running.delete(worker);
    this.#keepCounts(worker);
    if (!this.#isPhase('serving')) return;
    this.#lost++;
    this.#failures = clock.nowMs() - servedSinceMs > soundMs ? 1 : this.#failures + 1;
    logger.warn({ pid, how }, 'a worker has ended and is replaced');
    this.#fillUp();
  }

  /** Starts what is missing, each after a pause that grows with the number of deaths. */
  #fillUp(): void {
    const { clock, random } = this.#deps;
    const missing = this.#options.count - this.#running.size - this.#timers.size;
    for (let index = 0; index < missing; index++) {
      const pauseMs = backoffMs(Math.max(1, this.#failures), backoff, random);
      const timer = clock.after(pauseMs, () => {
        this.#timers.delete(timer);
        this.#launch();
      });
      this.#timers.add(timer);
    }
  }

  #cancelTimers(): void {
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
  }

  /** So that no counter ever falls; what a killed worker had not told of is lost. */
  #keepCounts({ report }: WorkerProcess): void {
    if (report === undefined) return;
    this.#endedCpuMs += report.use.cpuMs;
    this.#endedUses = sumUses([this.#endedUses, countersOf(report.services)]).slice(-endedUsesMax);
    this.#endedUnknownRequests = sumRequests([
      ...this.#endedUnknownRequests,
      ...report.unknownRequests,
    ]);
  }

  /** One question to the registry for all that ask at the same time. */
  #readNames(): Promise<readonly string[] | null> {
    this.#names ??= this.#deps.source
      .names(this.#closing.signal)
      .catch(() => null)
      .finally(() => {
        this.#names = undefined;
      });
    return this.#names;
  }

  /** A method, for awaiting may have changed what the compiler takes for known. */
  #isPhase(phase: Phase): boolean {
    return this.#phase === phase;
  }
}

function showWorker({ pid, state, report }: WorkerProcess): WorkerStatus[] {
  if (state.kind === 'ended') return [];
  const traffic = (report?.services ?? []).map((use) => use.traffic);
  const requests = traffic.flatMap((one) => one.requests);
  return [
    {
      pid,
      state: state.kind,
      connections: report?.connections ?? 0,
      requests: requests.reduce((sum, { count }) => sum + count, 0),
      inFlight: traffic.reduce((sum, { inFlight }) => sum + inFlight, 0),
      residentBytes: report?.use.residentBytes ?? 0,
      heapUsedBytes: report?.use.heapUsedBytes ?? 0,
      cpuMs: report?.use.cpuMs ?? 0,
      eventLoopLagMs: report?.use.eventLoopLagMs ?? 0,
    },
  ];
}
