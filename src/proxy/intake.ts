// The intake: what every request passes before any byte of it is forwarded, whatever carries it afterwards.
import type { IncomingMessage } from 'node:http';
import type { Address } from '../core/address.ts';
import type { Clock } from '../core/clock.ts';
import type { Logger } from '../core/logger.ts';
import type { Reason } from '../core/reasons.ts';
import type { Snapshot } from '../core/snapshot.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { Exchange, type Failure } from './exchange.ts';
import { isLoop, valueOf } from './headers.ts';
import type { Refusal } from './replies.ts';
import type { Names } from './routing/names.ts';
import type { Addressed, Route } from './routing/route.ts';
import { route } from './routing/router.ts';
import { refuseAmbiguous } from './strict.ts';

/** The services that can be called; Upstreams has them. */
export interface Services {
  /** Undefined when too many services are in use. */
  get(service: string): Upstream | undefined;
  /** The known name that is nearest to a misspelt one. */
  nearestTo(service: string): string | undefined;
  /** Why the registry cannot be asked, fit to be told to any client; undefined when it can. */
  trouble(): string | undefined;
}

/** Hosts on the network that are called as if each were a service with one instance. */
export interface ExternalHosts {
  get(address: Address): Upstream | undefined;
}

export interface IntakeDeps {
  readonly names: Names;
  readonly services: Services;
  readonly external: ExternalHosts;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly isDraining: () => boolean;
}

/** A request that may be forwarded. */
export interface Call {
  readonly kind: 'call';
  readonly exchange: Exchange;
  readonly route: Exclude<Route, { kind: 'refusal' }>;
  /** The Host header that the instance gets. */
  readonly host: string;
}

export interface Refused {
  readonly kind: 'refused';
  readonly refusal: Refusal;
}

export class Intake {
  readonly #deps: IntakeDeps;

  constructor(deps: IntakeDeps) {
    this.#deps = deps;
  }

  /** `listenerService`: the service that the listener belongs to, if it belongs to one. */
  admit(req: IncomingMessage, listenerService: string | undefined): Call | Refused {
    const { method = '', url: target = '', httpVersion, rawHeaders } = req;
    const { host } = req.headers;
    const ambiguity = refuseAmbiguous({ method, target, httpVersion, rawHeaders });
    if (ambiguity !== undefined) return this.#refuse('bad_request', ambiguity);
    const arrival = req.socket;
    return this.admitSound({ method, target, rawHeaders, host, listenerService, arrival });
  }

  /** The same for a request that is known to be sound, as `refuseAmbiguous` has it. */
  admitSound(arrived: Addressed): Call | Refused {
    const { method, rawHeaders, host } = arrived;
    if (isLoop(rawHeaders))
      return this.#refuse('bad_request', 'the request runs in a loop of agents');
    const decided = route(arrived, this.#deps.names);
    if (decided.kind === 'refusal') return this.#refuse(decided.reason, decided.detail);
    const idempotencyKey = valueOf(rawHeaders, 'idempotency-key') !== undefined;
    return this.#begin(decided, { method, idempotencyKey, host });
  }

  /** A request that would keep its connection for as long as it likes; a draining agent takes none of these. */
  admitLasting(req: IncomingMessage, listenerService: string | undefined): Call | Refused {
    return this.#deps.isDraining() ? this.#refuse('draining') : this.admit(req, listenerService);
  }

  /** A connection of a listener that belongs to one service, with nothing known about its bytes. */
  admitConnection(service: string): Call | Refused {
    if (this.#deps.isDraining()) return this.#refuse('draining');
    const decided = {
      kind: 'service',
      mode: 'listener',
      service,
      tag: undefined,
      path: '',
    } as const;
    return this.#begin(decided, { method: 'CONNECT', idempotencyKey: false, host: undefined });
  }

  /** The answer to a request that the exchange gave up. */
  refusalOf({ exchange, route: decided }: Call, { reason, neverSent }: Failure): Refusal {
    const { upstream, attempts } = exchange;
    const { service, snapshot } = upstream;
    const { state, confirmedAtMs } = snapshot;
    const ageMs = Math.max(0, Math.round(this.#deps.clock.nowMs() - confirmedAtMs));
    const registry = { state, ageMs: state === 'unknown' ? null : ageMs };
    const tag = tagOf(decided);
    const detail = this.#detailOf(reason, snapshot, tag);
    const causes = attempts.map(
      ({ endpoint, failure }) => `${endpoint.address} ${failure?.cause ?? ''}`,
    );
    this.#deps.logger.debug({ reason, service, attempts: causes }, 'request failed');
    return { reason, detail, service, tag, attempts, registry, neverSent };
  }

  /** What the reason alone does not tell. */
  #detailOf(
    reason: Reason,
    { service, state }: Snapshot,
    tag: string | undefined,
  ): string | undefined {
    const { services } = this.#deps;
    if (reason === 'no_such_service') {
      const nearest = services.nearestTo(service);
      return nearest === undefined ? undefined : `did you mean '${nearest}'?`;
    }
    if (reason !== 'no_instances') return undefined;
    if (state !== 'unknown') return tag === undefined ? undefined : `none with the tag '${tag}'`;
    const trouble = services.trouble();
    return `the registry has not answered yet${trouble === undefined ? '' : ` (${trouble})`}`;
  }

  #begin(
    decided: Call['route'],
    facts: { method: string; idempotencyKey: boolean; host: string | undefined },
  ): Call | Refused {
    const { services, external, clock } = this.#deps;
    const isService = decided.kind === 'service';
    const upstream = isService ? services.get(decided.service) : external.get(decided.address);
    if (upstream === undefined) return this.#refuse('overloaded', 'too many services are in use');
    const { method, idempotencyKey } = facts;
    const tag = tagOf(decided);
    const exchange = new Exchange(
      upstream,
      { method, idempotencyKey, tag, deadlineAtMs: Infinity },
      clock,
    );
    const host = isService ? decided.service : (facts.host ?? upstream.service);
    return { kind: 'call', exchange, route: decided, host };
  }

  #refuse(reason: Reason, detail?: string): Refused {
    this.#deps.logger.debug({ reason, detail }, 'request refused');
    return { kind: 'refused', refusal: { reason, detail, neverSent: true } };
  }
}

function tagOf(decided: Call['route']): string | undefined {
  return decided.kind === 'service' ? decided.tag : undefined;
}
