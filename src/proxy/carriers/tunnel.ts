// The carrier of bytes that are not looked at: CONNECT, and listeners for any TCP protocol.
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { dial, type DialDeps, type GatedSocket } from '../dial.ts';
import type { Attempt, Failure } from '../exchange.ts';
import { hasBody } from '../headers.ts';
import type { Call, Intake } from '../intake.ts';
import { Pursuit, type Pursuer } from '../pursuit.ts';
import { endWithRefusal, type Refusal } from '../replies.ts';
import { watchPair } from './pair.ts';

export interface TunnelCarrierDeps extends DialDeps {
  readonly intake: Intake;
}

export class TunnelCarrier {
  readonly #deps: TunnelCarrierDeps;

  constructor(deps: TunnelCarrierDeps) {
    this.#deps = deps;
  }

  /** A CONNECT request. Owns its socket from here on; `head` is what the client sent ahead. */
  connect(req: IncomingMessage, head: Buffer, listenerService: string | undefined): void {
    const { socket } = req;
    socket.on('error', () => undefined);
    if (hasBody(req)) {
      // RFC 9110 §9.3.6: it has no meaning, and what follows the head is the tunnel's.
      const detail = 'CONNECT with a body';
      endWithRefusal(socket, { reason: 'bad_request', detail, neverSent: true });
      return;
    }
    const admission = this.#deps.intake.admitLasting(req, listenerService);
    if (admission.kind === 'refused') {
      endWithRefusal(socket, admission.refusal);
      return;
    }
    if (head.length > 0) socket.unshift(head);
    const tunnel = new Tunnel(this.#deps, admission, socket, {
      opened: () => socket.write('HTTP/1.1 200 Connection Established\r\n\r\n'),
      refused: (refusal) => {
        endWithRefusal(socket, refusal);
      },
    });
    tunnel.start();
  }

  /** A connection on a listener that belongs to one service. Owns the socket from here on. */
  accept(socket: Socket, service: string): void {
    socket.on('error', () => undefined);
    const admission = this.#deps.intake.admitConnection(service);
    if (admission.kind === 'refused') {
      socket.destroy();
      return;
    }
    const tunnel = new Tunnel(this.#deps, admission, socket, {
      opened: () => true,
      // In a protocol that is not known, a closed connection is the only thing to say.
      refused: () => socket.destroy(),
    });
    tunnel.start();
  }
}

interface Greeting {
  opened(): void;
  refused(refusal: Refusal): void;
}

type Stage =
  | { readonly kind: 'pursuing' }
  | { readonly kind: 'dialling'; readonly cancel: () => void }
  | { readonly kind: 'open' }
  | { readonly kind: 'over' };

class Tunnel implements Pursuer {
  readonly #deps: TunnelCarrierDeps;
  readonly #call: Call;
  readonly #client: Socket;
  readonly #greeting: Greeting;
  readonly #pursuit: Pursuit;
  #stage: Stage = { kind: 'pursuing' };

  constructor(deps: TunnelCarrierDeps, call: Call, client: Socket, greeting: Greeting) {
    this.#deps = deps;
    this.#call = call;
    this.#client = client;
    this.#greeting = greeting;
    this.#pursuit = new Pursuit(call.exchange, deps.clock, this);
  }

  start(): void {
    this.#client.once('close', () => {
      this.#clientClosed();
    });
    this.#pursuit.advance();
  }

  attempt({ endpoint }: Attempt): void {
    const { exchange } = this.#call;
    const { host, port } = endpoint.instance;
    const target = {
      address: { host, port },
      timeoutMs: exchange.upstream.policy.connectTimeoutMs,
    };
    const cancel = dial(this.#deps, target, {
      connected: (instance) => {
        this.#join(instance);
      },
      failed: (kind, cause) => {
        this.#stage = { kind: 'pursuing' };
        exchange.failed(kind, cause);
        this.#pursuit.advance();
      },
    });
    this.#stage = { kind: 'dialling', cancel };
  }

  giveUp(failure: Failure): void {
    this.#stage = { kind: 'over' };
    this.#greeting.refused(this.#deps.intake.refusalOf(this.#call, failure));
  }

  #join(instance: GatedSocket): void {
    const { exchange } = this.#call;
    const client = this.#client;
    this.#stage = { kind: 'open' };
    exchange.connected();
    exchange.committed();
    exchange.replied(200);
    watchPair(client, instance, (outcome) => {
      if (outcome === 'instance') exchange.cut('the instance broke the connection');
      else exchange.finished();
    });
    this.#greeting.opened();
    client.pipe(instance);
    instance.pipe(client);
  }

  #clientClosed(): void {
    const stage = this.#stage;
    this.#pursuit.stop();
    if (stage.kind === 'open' || stage.kind === 'over') return;
    this.#stage = { kind: 'over' };
    if (stage.kind === 'dialling') stage.cancel();
    this.#call.exchange.clientClosed();
  }
}
