// Real Redis servers for tests: one process each, on a free port of 127.0.0.1, with a directory of its own.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { Redis } from 'ioredis';
import { eventually } from '../support/eventually.ts';
import { makeCertificates, type Certificates } from './certificates.ts';

export interface RedisServerOptions {
  readonly port?: number;
  readonly password?: string;
  /** TLS only, with certificates made for 127.0.0.1 and localhost; clients must show one too. */
  readonly tls?: boolean;
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

/**
 * The reason why tests with Redis cannot run here, if there is one. Installs Debian's server when it is missing and this is
 * root. Under CI=true a missing server is an error, so that nothing is skipped unseen.
 */
export function requireRedis(): string | undefined {
  if (isInstalled()) return undefined;
  if (process.getuid?.() === 0) install();
  if (isInstalled()) return undefined;
  const reason = 'redis-server is not installed (apt-get install redis-server)';
  if (process.env['CI'] === 'true') throw new Error(reason);
  return reason;
}

export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const directory = mkdtempSync(join(tmpdir(), 'outrigger-redis-'));
  const certificates = options.tls === true ? makeCertificates(directory) : undefined;
  for (let attempt = 1; ; attempt++) {
    const port = options.port ?? (await freePort());
    const server = new Server(port, directory, certificates, options);
    try {
      await server.start();
      return server;
    } catch (error) {
      // Between being found free and being used, a port may be taken by another test.
      await server.end('SIGKILL');
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
  readonly #directory: string;
  readonly #options: RedisServerOptions;
  #child: ChildProcess | undefined;

  constructor(
    port: number,
    directory: string,
    certificates: Certificates | undefined,
    options: RedisServerOptions,
  ) {
    const scheme = certificates === undefined ? 'redis' : 'rediss';
    const user = options.password === undefined ? '' : `:${options.password}@`;
    this.url = `${scheme}://${user}127.0.0.1:${port}`;
    this.port = port;
    this.certificates = certificates;
    this.#directory = directory;
    this.#options = options;
  }

  async start(): Promise<void> {
    const child = spawn('redis-server', this.#args(), { cwd: this.#directory, stdio: 'ignore' });
    this.#child = child;
    process.once('exit', this.#killAtExit);
    // Its end is looked for after an answer too: that may be another program's on the same port.
    await eventually(
      'redis-server answers or ends',
      async () =>
        child.exitCode !== null || (await answersPing(this.port, this.certificates !== undefined)),
    );
    if (child.exitCode !== null) throw new Error(`redis-server exited: ${child.exitCode}`);
  }

  async command(...words: readonly string[]): Promise<unknown> {
    const [name = '', ...args] = words;
    const { certificates } = this;
    const client = new Redis(this.url, {
      lazyConnect: true,
      connectTimeout: answerMs,
      commandTimeout: answerMs,
      retryStrategy: () => null,
      ...(certificates && {
        tls: { ca: certificates.ca, cert: certificates.cert, key: certificates.key },
      }),
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
    await this.end('SIGKILL');
    rmSync(join(this.#directory, 'dump.rdb'), { force: true });
    await this.start();
  }

  async restartWithData(downMs = 0): Promise<void> {
    await this.end('SIGTERM');
    await new Promise((resolve) => setTimeout(resolve, downMs));
    await this.start();
  }

  pause(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  async stop(): Promise<void> {
    await this.end('SIGKILL');
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#child = undefined;
    process.removeListener('exit', this.#killAtExit);
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    child.kill('SIGCONT');
    await ended;
  }

  readonly #killAtExit = (): void => {
    this.#child?.kill('SIGKILL');
    rmSync(this.#directory, { recursive: true, force: true });
  };

  #args(): readonly string[] {
    const { password, args = [] } = this.#options;
    const { certificates } = this;
    return [
      ...['--bind', '127.0.0.1', '--dir', this.#directory, '--appendonly', 'no'],
      // Far apart, so that only an orderly end writes the data.
      ...['--save', '3600', '1'],
      ...(password === undefined ? [] : ['--requirepass', password]),
      ...(certificates === undefined
        ? ['--port', String(this.port)]
        : tlsArgs(this.port, certificates)),
      ...args,
    ];
  }
}

function tlsArgs(port: number, { files }: Certificates): readonly string[] {
  return [
    ...['--port', '0', '--tls-port', String(port)],
    ...['--tls-cert-file', files.cert, '--tls-key-file', files.key],
    ...['--tls-ca-cert-file', files.ca, '--tls-auth-clients', 'yes'],
  ];
}

function isInstalled(): boolean {
  return spawnSync('redis-server', ['--version']).status === 0;
}

function install(): void {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const options = ['-qq', '-y', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=120'];
  spawnSync('apt-get', ['update', '-qq'], { env });
  spawnSync('apt-get', ['install', ...options, 'redis-server'], { env });
}

/**
 * Below the ports that the system gives to outgoing connections: one of those could take the port while the server
 * restarts.
 */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const server = createServer().listen(port, '127.0.0.1');
    try {
      await once(server, 'listening');
      server.close();
      await once(server, 'close');
      return port;
    } catch {
      // In use.
    }
  }
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
