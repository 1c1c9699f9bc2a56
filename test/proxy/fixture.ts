// A running Proxy with services whose instances a test gives, origins that tests script byte by byte, and raw clients.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http';
import { connect, createServer, type Server as TcpServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { systemClock, type Clock } from '../../src/core/clock.ts';
import type { Instance } from '../../src/core/instance.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { makeSnapshot, type Snapshot, type SnapshotState } from '../../src/core/snapshot.ts';
import { ExternalUpstreams } from '../../src/proxy/external.ts';
import { Proxy, type ProxyOptions } from '../../src/proxy/proxy.ts';
import { defaultPolicy, type UpstreamPolicy } from '../../src/upstream/policy.ts';
import { Upstreams } from '../../src/upstream/upstreams.ts';
import { eventually } from '../support/eventually.ts';
import { seededRandom } from '../support/seeded-random.ts';

/** What is called, on which ports; an entry may add fields to the instance. */
export type Ports = Readonly<Record<string, readonly (number | Partial<Instance>)[]>>;

export interface FixtureOptions {
  readonly policy?: Partial<UpstreamPolicy>;
  readonly proxy?: Partial<ProxyOptions>;
  readonly reservedPorts?: readonly number[];
  readonly clock?: Clock;
  /** Why the registry has never answered; without it, it has. */
  readonly trouble?: string;
}

/** Everything is closed when the test ends. */
export async function startProxy(
  test: TestContext,
  services: Ports,
  options: FixtureOptions = {},
): Promise<ProxyFixture> {
  const fixture = new ProxyFixture(services, options);
  test.after(() => fixture.close());
  await fixture.proxy.start();
  return fixture;
}

export class ProxyFixture {
  readonly proxy: Proxy;
  readonly upstreams: Upstreams;
  readonly #external: ExternalUpstreams;
  readonly #watches = new Map<string, (snapshot: Snapshot) => void>();
  readonly #state: SnapshotState;
  #services: Ports;

  constructor(
    services: Ports,
    { policy, proxy, reservedPorts = [], clock = systemClock, trouble }: FixtureOptions,
  ) {
    this.#services = services;
    this.#state = trouble === undefined ? 'live' : 'unknown';
    const deps = {
      clock,
      random: seededRandom(7),
      logger: silentLogger,
      prober: () => Promise.resolve(undefined),
    };
    const defaults = { ...defaultPolicy, balance: 'round-robin', ...policy } as const;
    const source = {
      watch: (service: string, onSnapshot: (snapshot: Snapshot) => void) => {
        this.#watches.set(service, onSnapshot);
        onSnapshot(this.#snapshot(service));
      },
      snapshot: () => undefined,
      names: () => Promise.resolve(Object.keys(this.#services)),
      reportUnreachable: () => undefined,
      trouble: () => trouble,
    };
    this.upstreams = new Upstreams({ ...deps, source }, { policies: {}, defaultPolicy: defaults });
    this.#external = new ExternalUpstreams(deps, { policy: defaults });
    this.proxy = new Proxy(
      {
        ...deps,
        services: this.upstreams,
        external: this.#external,
        isReservedPort: (port) => reservedPorts.includes(port),
      },
      {
        listen: { host: '127.0.0.1', port: 0 },
        upstreamListeners: [],
        connectionsMax: Infinity,
        suffixes: ['.localhost', '.svc'],
        ownHosts: ['agent.example'],
        passthrough: false,
        fastLane: process.env['OUTRIGGER_FAST_LANE'] !== 'false',
        ...proxy,
      },
    );
  }

  get port(): number {
    return this.proxy.address?.port ?? 0;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Replaces the instances of a service. */
  set(service: string, ports: Ports[string]): void {
    this.#services = { ...this.#services, [service]: ports };
    this.#watches.get(service)?.(this.#snapshot(service));
  }

  async close(): Promise<void> {
    await this.proxy.close();
    this.upstreams.close();
    this.#external.close();
  }

  #snapshot(service: string): Snapshot {
    const instances = (this.#services[service] ?? []).map((entry, index): Instance => {
      const fields = typeof entry === 'number' ? { port: entry } : entry;
      const id = `${service}-${index + 1}`;
      const address = { host: '127.0.0.1', port: 1 };
      return { service, id, ...address, weight: 1, tags: [], meta: {}, ...fields };
    });
    const confirmedAtMs = systemClock.nowMs();
    return makeSnapshot({ service, state: this.#state, instances, confirmedAtMs, held: 0 });
  }
}

async function listening(test: TestContext, server: TcpServer): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  });
  test.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** The server's side of a connection of a client in this process. Subscribe before the client connects. */
export class AcceptedSockets {
  readonly #sockets: Socket[] = [];

  constructor(test: TestContext) {
    const onSocket = (message: unknown): void => {
      this.#sockets.push((message as { readonly socket: Socket }).socket);
    };
    subscribe('net.server.socket', onSocket);
    test.after(() => unsubscribe('net.server.socket', onSocket));
  }

  of({ socket }: RawClient): Promise<Socket> {
    return eventually('it is connected', () =>
      this.#sockets.find(({ remotePort }) => remotePort === socket.localPort),
    );
  }
}

export interface Origin {
  readonly port: number;
  readonly server: Server;
}

/** An HTTP origin on a free port. */
export async function httpOrigin(test: TestContext, handler: RequestListener): Promise<Origin> {
  const server = createHttpServer(handler);
  return { port: await listening(test, server), server };
}

export interface ByteOrigin {
  readonly port: number;
  /** What each connection has sent so far. */
  readonly received: string[];
  readonly sockets: Socket[];
}

/** An origin that hands each connection to a script as soon as it has sent a whole head. */
export async function byteOrigin(
  test: TestContext,
  script: (socket: Socket, count: number) => void,
): Promise<ByteOrigin> {
  const received: string[] = [];
  const sockets: Socket[] = [];
  let heads = 0;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const index = sockets.push(socket) - 1;
    received.push('');
    let unanswered = '';
    socket.on('data', (chunk) => {
      received[index] = `${received[index] ?? ''}${chunk.toString('latin1')}`;
      unanswered += chunk.toString('latin1');
      if (!unanswered.includes('\r\n\r\n')) return;
      unanswered = '';
      heads++;
      script(socket, heads);
    });
  });
  return { port: await listening(test, server), received, sockets };
}

/** A port on which nothing listens. */
export async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return address === null || typeof address === 'string' ? 1 : address.port;
}

/** A client that writes and reads bytes. */
export class RawClient {
  readonly socket: Socket;
  text = '';
  ended = false;
  closed = false;

  constructor(test: TestContext, to: number | string) {
    this.socket = typeof to === 'number' ? connect(to, '127.0.0.1') : connect(to);
    this.socket.on('data', (chunk) => (this.text += chunk.toString('latin1')));
    this.socket.on('end', () => (this.ended = true));
    this.socket.on('close', () => (this.closed = true));
    this.socket.on('error', () => undefined);
    test.after(() => this.socket.destroy());
  }

  send(bytes: string): this {
    this.socket.write(bytes, 'latin1');
    return this;
  }

  /** Waits until the pattern has arrived. */
  async until(pattern: RegExp): Promise<string> {
    return eventually(`${String(pattern)} in ${JSON.stringify(this.text)}`, () => {
      return pattern.test(this.text) ? this.text : undefined;
    });
  }

  /** Waits for the end of the connection. */
  async end(): Promise<string> {
    await eventually(`the end after ${JSON.stringify(this.text)}`, () => this.closed);
    return this.text;
  }
}

/** Sends a whole request that closes the connection and returns the whole reply. */
export function roundTrip(
  test: TestContext,
  to: number | string,
  request: string,
): Promise<string> {
  return new RawClient(test, to).send(request).end();
}

export function get(path: string, headers: readonly string[] = []): string {
  return `${[`GET ${path} HTTP/1.1`, ...headers, 'Connection: close'].join('\r\n')}\r\n\r\n`;
}
