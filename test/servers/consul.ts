// Real Consul servers for tests, built once for each machine by the Go module beside this file.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../support/free-port.ts';
import { ServerProcess } from './server-process.ts';
import { requireGo } from './go.ts';

export interface ConsulServerOptions {
  /** The token that may do everything; without it there are no access rules. */
  readonly token?: string;
  /** Further configuration of the server. */
  readonly config?: Readonly<Record<string, unknown>>;
}

export interface ConsulAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

export interface ConsulServer {
  /** Opens the registry, with the token. */
  readonly url: string;
  readonly port: number;
  /** One HTTP request below `/v1`, with the token. */
  call(method: string, path: string, body?: unknown): Promise<ConsulAnswer>;
  /** Deregisters every service. */
  clear(): Promise<void>;
  /** Killed, and up again without data when this resolves. */
  restartEmpty(): Promise<void>;
  /** Killed, down for about that long, and up again with its data when this resolves. */
  restartWithData(downMs?: number): Promise<void>;
  /** Stopped by SIGSTOP: connections stay open and nothing is answered. */
  pause(): void;
  resume(): void;
  /** Killed; its directory is removed. */
  stop(): Promise<void>;
}

/** Why tests with Consul cannot run here, if they cannot. Builds the server when that has not been done yet. */
export function requireConsul(): string | undefined {
  if (existsSync(programPath)) return undefined;
  const failure = requireGo(join(module, 'go.mod')) ?? build();
  if (failure !== undefined && process.env['CI'] === 'true') throw new Error(failure);
  return failure;
}

export async function startConsul(options: ConsulServerOptions = {}): Promise<ConsulServer> {
  for (let attempt = 1; ; attempt++) {
    const ports = { http: await freePort(), server: await freePort(), serf: await freePort() };
    const server = new Server(ports, options);
    try {
      await server.start();
      return server;
    } catch (error) {
      // Between being found free and being used, a port may be taken by another test.
      await server.stop();
      if (attempt === portAttempts) throw error;
    }
  }
}

const portAttempts = 3;
const answerMs = 10_000;
/** A folder in memory, where there is one: an agent waits for the disk at each registration, and no test cuts the power. */
const memory = '/dev/shm';
const module = fileURLToPath(new URL('consul/', import.meta.url));
/** The server's version, as the module requires it. */
export const consulVersion =
  /hashicorp\/consul v(\S+)/.exec(readFileSync(join(module, 'go.mod'), 'utf8'))?.[1] ?? 'unknown';
const programPath = join(homedir(), '.cache', 'outrigger-test-servers', `consul-${consulVersion}`);

interface Ports {
  readonly http: number;
  readonly server: number;
  readonly serf: number;
}

class Server implements ConsulServer {
  readonly url: string;
  readonly port: number;
  readonly #process = new ServerProcess('consul', existsSync(memory) ? memory : undefined);
  readonly #ports: Ports;
  readonly #options: ConsulServerOptions;

  constructor(ports: Ports, options: ConsulServerOptions) {
    const { token } = options;
    this.url = `consul://${token === undefined ? '' : `${token}@`}127.0.0.1:${ports.http}`;
    this.port = ports.http;
    this.#ports = ports;
    this.#options = options;
  }

  start(): Promise<void> {
    const { directory } = this.#process;
    const file = join(directory, 'config.json');
    writeFileSync(file, JSON.stringify(this.#config()));
    const args = ['agent', `-config-file=${file}`, `-data-dir=${this.#dataPath}`];
    return this.#process.start({ file: programPath, args }, () => this.#isReady());
  }

  async call(method: string, path: string, body?: unknown): Promise<ConsulAnswer> {
    const { token } = this.#options;
    const answer = await fetch(`http://127.0.0.1:${this.port}/v1${path}`, {
      method,
      headers: token === undefined ? {} : { 'x-consul-token': token },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(answerMs),
    });
    return { status: answer.status, headers: answer.headers, text: await answer.text() };
  }

  async clear(): Promise<void> {
    const { text } = await this.call('GET', '/agent/services');
    const ids = Object.keys(JSON.parse(text) as Readonly<Record<string, unknown>>);
    for (const id of ids) {
      await this.call('PUT', `/agent/service/deregister/${encodeURIComponent(id)}`);
    }
  }

  async restartEmpty(): Promise<void> {
    await this.#process.end();
    rmSync(this.#dataPath, { recursive: true, force: true });
    await this.start();
  }

  async restartWithData(downMs = 0): Promise<void> {
    await this.#process.end();
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

  get #dataPath(): string {
    return join(this.#process.directory, 'data');
  }

  /** There is a leader, and it has taken this server into the catalog. */
  async #isReady(): Promise<boolean> {
    const { status, text } = await this.call('GET', '/health/service/consul?passing=1');
    return status === 200 && text.startsWith('[{');
  }

  #config(): object {
    const { token, config } = this.#options;
    const { http, server, serf } = this.#ports;
    return {
      server: true,
      bootstrap: true,
      bind_addr: '127.0.0.1',
      client_addr: '127.0.0.1',
      ports: { http, server, serf_lan: serf, serf_wan: -1, dns: -1, grpc: -1, grpc_tls: -1 },
      connect: { enabled: false },
      performance: { raft_multiplier: 1 },
      disable_update_check: true,
      log_level: 'warn',
      ...(token !== undefined && {
        acl: {
          enabled: true,
          default_policy: 'deny',
          tokens: { initial_management: token, agent: token },
        },
      }),
      ...config,
    };
  }
}

/** Returns why it failed, if it did. Moves what is complete, as several test files may need it at once. */
function build(): string | undefined {
  const directory = join(programPath, '..');
  mkdirSync(directory, { recursive: true });
  const work = mkdtempSync(join(directory, 'consul.'));
  try {
    const program = join(work, 'consul');
    const { status, stderr, error } = spawnSync(
      'go',
      ['build', '-o', program, 'github.com/hashicorp/consul'],
      {
        cwd: module,
        encoding: 'utf8',
        env: { ...process.env, GOTOOLCHAIN: 'local', GOWORK: 'off' },
      },
    );
    if (status !== 0) {
      return `consul could not be built: ${error?.message ?? stderr.slice(-2000)}`;
    }
    renameSync(program, programPath);
    return undefined;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
