// The connections to one endpoint: idle ones are reused, the latest first; new ones are opened as needed.
import type { Endpoint, Connections } from '../upstream/endpoint.ts';
import type { UpstreamPolicy } from '../upstream/policy.ts';
import { Connection, type ClientClass } from './connection.ts';
import { dial, type DialDeps } from './dial.ts';
import type { FailureKind } from './exchange.ts';

/** The largest head of a reply. */
const headBytesMax = 65_536;

export interface PoolEvents {
  connected(connection: Connection): void;
  failed(kind: FailureKind, cause: string): void;
}

export class EndpointPool implements Connections {
  readonly #deps: DialDeps;
  readonly #Client: ClientClass;
  readonly #endpoint: Endpoint;
  readonly #policy: UpstreamPolicy;
  readonly #idle: Connection[] = [];
  readonly #all = new Set<Connection>();
  #phase: 'open' | 'retired' = 'open';

  constructor(deps: DialDeps, Client: ClientClass, endpoint: Endpoint, policy: UpstreamPolicy) {
    this.#deps = deps;
    this.#Client = Client;
    this.#endpoint = endpoint;
    this.#policy = policy;
  }

  /** An idle connection, which may have been closed by the instance just now. */
  takeIdle(): Connection | undefined {
    for (let connection = this.#idle.pop(); connection; connection = this.#idle.pop())
      if (connection.usable) return connection;
    return undefined;
  }

  /** Opens a connection. Returns how to give up. */
  connect(events: PoolEvents): () => void {
    const { instance } = this.#endpoint;
    const address = { host: instance.host, port: instance.port };
    const { connectTimeoutMs, idleTimeoutMs } = this.#policy;
    return dial(
      this.#deps,
      { address, timeoutMs: connectTimeoutMs },
      {
        connected: (socket) => {
          const options = { idleTimeoutMs, headBytesMax };
          const connection = new Connection(this.#Client, socket, options);
          this.#all.add(connection);
          connection.onClose(() => {
            this.#forget(connection);
          });
          events.connected(connection);
        },
        failed: (kind, cause) => {
          events.failed(kind, cause);
        },
      },
    );
  }

  /** The connection's request has ended well: it may carry another. */
  giveBack(connection: Connection): void {
    if (this.#phase === 'retired') {
      connection.destroy();
      return;
    }
    connection.reused = true;
    if (connection.usable) this.#idle.push(connection);
  }

  retire(): void {
    this.#phase = 'retired';
    for (const connection of this.#idle.splice(0)) connection.destroy();
  }

  /** Ends every connection now, also those that carry a request. */
  close(): void {
    this.retire();
    for (const connection of [...this.#all]) connection.destroy();
  }

  #forget(connection: Connection): void {
    this.#all.delete(connection);
    const index = this.#idle.indexOf(connection);
    if (index !== -1) this.#idle.splice(index, 1);
    connection.destroy();
  }
}
