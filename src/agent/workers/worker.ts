// A Worker: one process that carries calls. It is the data plane of an agent, fed and told what to do by messages.
import { measureProcess } from '../../admin/metrics.ts';
import type { ExplainedCall, Explanation } from '../../admin/view.ts';
import type { Clock } from '../../core/clock.ts';
import { ConfigError, messageOf } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';
import type { Random } from '../../core/random.ts';
import { ExternalUpstreams } from '../../proxy/external.ts';
import { Proxy } from '../../proxy/proxy.ts';
import type { UpstreamPolicy } from '../../upstream/policy.ts';
import { tcpProber } from '../../upstream/prober.ts';
import { untilUpstream } from '../../upstream/until.ts';
import { Upstreams } from '../../upstream/upstreams.ts';
import { wasRead } from '../called-services.ts';
import { connectionsMax } from '../connections-max.ts';
import { explainCall } from '../explain-call.ts';
import { countRequests, showSnapshot, showUpstream } from '../show-upstream.ts';
import { FedSource } from './fed-source.ts';
import type { FromWorker, StartOrder, ToWorker, WorkerReport } from './messages.ts';

export interface WorkerDeps {
  readonly send: (message: FromWorker) => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** How long an explanation waits for the list of instances. */
const explainTimeoutMs = 2000;

export class Worker {
  readonly #deps: WorkerDeps;
  readonly #source: FedSource;
  readonly #upstreams: Upstreams;
  readonly #external: ExternalUpstreams;
  readonly #proxy: Proxy;
  #closing: Promise<void> | undefined;
  #onClosed: () => void = () => undefined;
  /** Resolves when nothing of it is left. */
  readonly closed: Promise<void>;

  constructor(deps: WorkerDeps, order: StartOrder) {
    const { send, clock, random, logger } = deps;
    const { defaultPolicy, reservedPort } = order;
    this.#deps = deps;
    this.closed = new Promise((resolve) => {
      this.#onClosed = resolve;
    });
    this.#source = new FedSource({ clock, send });
    const calling = { clock, random, logger, prober: tcpProber };
    this.#upstreams = new Upstreams(
      { ...calling, source: this.#source },
      { policies: policiesOf(order), defaultPolicy },
    );
    this.#external = new ExternalUpstreams(calling, { policy: defaultPolicy });
    const isReservedPort = (port: number): boolean => port === reservedPort;
    const targets = { services: this.#upstreams, external: this.#external, isReservedPort };
    this.#proxy = new Proxy(
      { ...targets, clock, random, logger },
      { ...order.proxy, connectionsMax: connectionsMax() },
    );
  }

  /** Says whether it serves or failed. Never rejects. */
  async start(): Promise<void> {
    const { send } = this.#deps;
    try {
      await this.#proxy.start();
      const { address } = this.#proxy;
      if (address === undefined) throw new Error('the proxy listens nowhere');
      // Names with dots need the list of services to be told from tags; nothing waits for it.
      void this.#upstreams.refreshNames();
      send({ kind: 'serving', address });
    } catch (error) {
      const isConfig = error instanceof ConfigError;
      send({ kind: 'failed', isConfig, message: messageOf(error) });
      await this.#close();
    }
  }

  receive(message: Exclude<ToWorker, StartOrder>): void {
    switch (message.kind) {
      case 'snapshots':
        this.#source.take(message.snapshots);
        break;
      case 'confirmed':
        this.#source.confirm(message.ages, message.trouble);
        break;
      case 'names':
        this.#source.answerNames(message.id, message.names);
        break;
      case 'report':
        void this.#report().then((report) => {
          this.#deps.send({ kind: 'report', id: message.id, report });
        });
        break;
      case 'explain':
        void this.#explain(message.service, message.call).then((explanation) => {
          this.#deps.send({ kind: 'explained', id: message.id, explanation });
        });
        break;
      case 'drain':
        void this.#drain(message.timeoutMs);
        break;
      case 'close':
        void this.#close();
    }
  }

  async #report(): Promise<WorkerReport> {
    const { clock } = this.#deps;
    const use = await measureProcess(clock);
    const nowMs = clock.nowMs();
    const services = this.#upstreams.all().map((upstream) => showUpstream(upstream, 0, nowMs));
    const unknownRequests = countRequests(this.#upstreams.unknownOutcomes);
    return { services, unknownRequests, connections: this.#proxy.connections, use };
  }

  /** Takes the service into use, as a call would. */
  async #explain(service: string, call: ExplainedCall): Promise<Explanation | null> {
    const { clock } = this.#deps;
    const upstream = this.#upstreams.get(service);
    if (upstream === undefined) return null;
    const late = new AbortController();
    const timer = clock.after(explainTimeoutMs, () => {
      late.abort(new Error('no list of instances in time'));
    });
    try {
      await untilUpstream(upstream, wasRead, late.signal);
    } catch {
      return null;
    } finally {
      timer.cancel();
    }
    const nowMs = clock.nowMs();
    const snapshot = showSnapshot(upstream.snapshot, 0, nowMs);
    return { ...explainCall(upstream, call, nowMs), snapshot };
  }

  async #drain(timeoutMs: number): Promise<void> {
    await this.#proxy.drain(timeoutMs);
    this.#deps.send({ kind: 'drained', report: await this.#report() });
  }

  #close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #end(): Promise<void> {
    await this.#proxy.close();
    this.#upstreams.close();
    this.#external.close();
    this.#onClosed();
  }
}

/** In an object without a prototype: any service name may be asked of it. */
function policiesOf({ policies }: StartOrder): Readonly<Record<string, UpstreamPolicy>> {
  const byService = Object.create(null) as Record<string, UpstreamPolicy>;
  for (const [service, policy] of policies) byService[service] = policy;
  return byService;
}
