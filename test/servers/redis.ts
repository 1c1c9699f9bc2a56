// Real Redis servers for tests: one process each, on a free port of 127.0.0.1, with a directory of its own.
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { Redis, type RedisOptions } from 'ioredis';
import { makeCertificates, type Certificates } from './certificates.ts';
import { freePort } from '../support/free-port.ts';
import { requireProgram, ServerProcess } from './server-process.ts';

export interface RedisServerOptions {
  readonly port?: number;
  readonly password?: string;
  /** TLS only, with these certificates or, for true, its own; clients must show one too. */
  readonly tls?: true | Certificates;
  /** Further arguments of redis-server. */
  readonly args?: readonly string[];
}

export interface RedisServer {
  /** With the password; without TLS files. */
  readonly url: string;
  readonly port: number;
  readonly certificates: Certificates | undefined;
  /** Sends one command over a connection of its own. */
  command(...words: readonly string[]): Promise<unknown>;
  /** Killed, and up again without data when this resolves. */
  restartEmpty(): Promise<void>;
  /** Ended in order, down for about that long, and up again with its data when this resolves. */
  restartWithData(downMs?: number): Promise<void>;
  /** Stopped by SIGSTOP: connections stay open and nothing is answered. */
  pause(): void;
  resume(): void;
  /** Killed; its directory is removed. */
  stop(): Promise<void>;
}

/** Why tests with Redis cannot run here, if they cannot. */
export function requireRedis(): string | undefined {
  return requireProgram('redis-server', ['redis-server']);
}

export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const process = new ServerProcess('redis');
  const { tls } = options;
  const certificates = tls === true ? makeCertificates(process.directory) : tls;
  for (let attempt = 1; ; attempt++) {
    const port = options.port ?? (await freePort());
    const server = new Server(port, process, certificates, options);
    try {
      await server.start();
      return server;
    } catch (error) {
      // Between being found free and being used, a port may be taken by another test.
      await process.end();
      if (options.port !== undefined || attempt === portAttempts) throw error;
    }
  }
}

const portAttempts = 5;
/** For one answer of a server that works. */
const answerMs = 5000;

class Server implements RedisServer {
  readonly url: string;
  readonly port: number;
  readonly certificates: Certificates | undefined;
  readonly #options: RedisServerOptions;
  readonly #process: ServerProcess;

  constructor(
    port: number,
    process: ServerProcess,
    certificates: Certificates | undefined,
    options: RedisServerOptions,
  ) {
    const scheme = certificates === undefined ? 'redis' : 'rediss';
    const user = options.password === undefined ? '' : `:${options.password}@`;
    this.url = `${scheme}://${user}127.0.0.1:${port}`;
    this.port = port;
    this.certificates = certificates;
    this.#process = process;
    this.#options = options;
  }

  start(): Promise<void> {
    return this.#process.start({ file: 'redis-server', args: this.#args() }, () =>
      answersPing(this.port, this.certificates !== undefined),
    );
  }

  async command(...words: readonly string[]): Promise<unknown> {
    const [name = '', ...args] = words;
    const client = new Redis(this.url, {
      lazyConnect: true,
      connectTimeout: answerMs,
      commandTimeout: answerMs,
      retryStrategy: () => null,
      ...clientTls(this.certificates),
    });
    client.on('error', () => undefined);
    try {
      await client.connect();
      return await client.call(name, ...args);
    } finally {
      client.disconnect();
    }
  }

  async restartEmpty(): Promise<void> {
    await this.#process.end();
    rmSync(join(this.#process.directory, 'dump.rdb'), { force: true });
    await this.start();
  }

  async restartWithData(downMs = 0): Promise<void> {
    await this.#process.end('SIGTERM');
    await new Promise((resolve) => setTimeout(resolve, downMs));
    await this.start();
  }

  pause(): void {
    this.#process.pause();
  }

  resume(): void {
    this.#process.resume();
  }

  stop(): Promise<void> {
    return this.#process.stop();
  }

  #args(): readonly string[] {
    const { password, args = [] } = this.#options;
    const { certificates } = this;
    return [
      ...['--bind', '127.0.0.1', '--dir', this.#process.directory, '--appendonly', 'no'],
      // Far apart, so that only an orderly end writes the data.
      ...['--save', '3600', '1'],
      ...(password === undefined ? [] : ['--requirepass', password]),
      ...(certificates === undefined
        ? ['--port', String(this.port)]
        : tlsWords(this.port, certificates).flatMap(([name, value]) => [`--${name}`, value])),
      ...args,
    ];
  }
}

/** The same words are lines of a configuration file. */
export function tlsWords(port: number, { files }: Certificates): readonly [string, string][] {
  return [
    ['port', '0'],
    ['tls-port', String(port)],
    ['tls-cert-file', files.cert],
    ['tls-key-file', files.key],
    ['tls-ca-cert-file', files.ca],
    ['tls-auth-clients', 'yes'],
    // Between servers too; MIGRATE takes it from the cluster's.
    ['tls-replication', 'yes'],
  ];
}

/** For a client of a test's own. */
export function clientTls(certificates: Certificates | undefined): Pick<RedisOptions, 'tls'> {
  if (certificates === undefined) return {};
  const { ca, cert, key } = certificates;
  return { tls: { ca, cert, key } };
}

/** Any answer will do; over TLS a handshake, since the test's own client is not set up here. */
async function answersPing(port: number, tls: boolean): Promise<boolean> {
  const socket = tls
    ? connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false })
    : connect(port, '127.0.0.1');
  const signal = AbortSignal.timeout(1000);
  try {
    if (tls) {
      await once(socket, 'secureConnect', { signal });
      return true;
    }
    socket.write('PING\r\n');
    const [answer] = (await once(socket, 'data', { signal })) as [Buffer];
    return !answer.toString().startsWith('-LOADING');
  } finally {
    socket.on('error', () => undefined);
    socket.destroy();
  }
}
