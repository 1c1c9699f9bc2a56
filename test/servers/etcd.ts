// Real etcd servers for tests: single ones and clusters, on free ports of 127.0.0.1, with directories of their own.
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { makeCertificates, type Certificates } from './certificates.ts';
import { freePort } from '../support/free-port.ts';
import { accepts, requireProgram, ServerProcess } from './server-process.ts';

export interface EtcdServerOptions {
  /** Users are asked for; there is `root` with this password. */
  readonly rootPassword?: string;
  /** TLS only, with certificates made for 127.0.0.1 and localhost; clients must show one too. */
  readonly tls?: boolean;
  /** Further arguments of etcd. */
  readonly args?: readonly string[];
}

export interface EtcdServer {
  /** Opens the registry, with the password; without TLS files. */
  readonly url: string;
  readonly port: number;
  readonly certificates: Certificates | undefined;
  /** Runs etcdctl; its output. */
  etcdctl(...args: readonly string[]): Promise<string>;
  /** Killed, and up again without data when this resolves. */
  restartEmpty(): Promise<void>;
  /** Ended in order, down for about that long, and up again with its data when this resolves. */
  restartWithData(downMs?: number): Promise<void>;
  /** Stopped by SIGSTOP: connections stay open and nothing is answered. */
  pause(): void;
  resume(): void;
  /** Killed, without a word to anybody; `start` brings it back with its data. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** Killed; its directory is removed. */
  stop(): Promise<void>;
}

/** Why tests with etcd cannot run here, if they cannot. */
export function requireEtcd(): string | undefined {
  return requireProgram('etcd', ['etcd-server']) ?? requireProgram('etcdctl', ['etcd-client']);
}

export function etcdVersion(): string {
  const text = execFileSync('etcd', ['--version'], { encoding: 'utf8' });
  return /etcd Version: (\S+)/.exec(text)?.[1] ?? 'unknown';
}

const portAttempts = 5;

export async function startEtcd(options: EtcdServerOptions = {}): Promise<EtcdServer> {
  for (let attempt = 1; ; attempt++) {
    const [member] = await makeMembers(1);
    const server = new Server(member, [member], options);
    try {
      await server.start();
      await server.secure();
      return server;
    } catch (error) {
      // Between being found free and being used, a port may be taken by another test.
      await server.stop();
      if (attempt === portAttempts) throw error;
    }
  }
}

/** Members that know each other, all up. */
export async function startEtcdCluster(size: number): Promise<readonly EtcdServer[]> {
  for (let attempt = 1; ; attempt++) {
    const members = await makeMembers(size);
    const servers = members.map((member) => new Server(member, members, {}));
    try {
      await Promise.all(servers.map((server) => server.start()));
      return servers;
    } catch (error) {
      await Promise.all(servers.map((server) => server.stop()));
      if (attempt === portAttempts) throw error;
    }
  }
}

interface Member {
  readonly name: string;
  readonly clientPort: number;
  readonly peerPort: number;
}

async function makeMembers(size: number): Promise<readonly [Member, ...Member[]]> {
  const make = async (number: number): Promise<Member> => ({
    name: `member${number}`,
    clientPort: await freePort(),
    peerPort: await freePort(),
  });
  const members: [Member, ...Member[]] = [await make(1)];
  while (members.length < size) members.push(await make(members.length + 1));
  return members;
}

class Server implements EtcdServer {
  readonly port: number;
  readonly certificates: Certificates | undefined;
  readonly #member: Member;
  readonly #members: readonly Member[];
  readonly #options: EtcdServerOptions;
  readonly #process = new ServerProcess('etcd');
  #secured = false;

  constructor(member: Member, members: readonly Member[], options: EtcdServerOptions) {
    this.port = member.clientPort;
    this.#member = member;
    this.#members = members;
    this.#options = options;
    if (options.tls === true) this.certificates = makeCertificates(this.#process.directory);
  }

  get url(): string {
    const { rootPassword } = this.#options;
    const user = rootPassword === undefined ? '' : `root:${rootPassword}@`;
    return `${this.certificates === undefined ? 'etcd' : 'etcds'}://${user}127.0.0.1:${this.port}`;
  }

  start(): Promise<void> {
    return this.#process.start({ file: 'etcd', args: this.#args() }, () => this.#isReady());
  }

  /** Turns authentication on, once its root has a password. */
  async secure(): Promise<void> {
    const { rootPassword } = this.#options;
    if (rootPassword === undefined) return;
    await this.etcdctl('user', 'add', `root:${rootPassword}`);
    await this.etcdctl('user', 'grant-role', 'root', 'root');
    await this.etcdctl('auth', 'enable');
    this.#secured = true;
  }

  async etcdctl(...args: readonly string[]): Promise<string> {
    const { rootPassword = '' } = this.#options;
    const { files } = this.certificates ?? {};
    const scheme = files === undefined ? 'http' : 'https';
    const { stdout } = await promisify(execFile)('etcdctl', [
      `--endpoints=${scheme}://127.0.0.1:${this.port}`,
      '--command-timeout=20s',
      ...(this.#secured ? [`--user=root:${rootPassword}`] : []),
      ...(files === undefined
        ? []
        : [`--cacert=${files.ca}`, `--cert=${files.cert}`, `--key=${files.key}`]),
      ...args,
    ]);
    return stdout;
  }

  async restartEmpty(): Promise<void> {
    await this.#process.end();
    rmSync(this.#dataDirectory, { recursive: true, force: true });
    this.#secured = false;
    await this.start();
    await this.secure();
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

  kill(): Promise<void> {
    return this.#process.end();
  }

  stop(): Promise<void> {
    return this.#process.stop();
  }

  get #dataDirectory(): string {
    return join(this.#process.directory, 'data');
  }

  /** The client port opens when the member has joined its cluster, and the cluster has a leader. */
  #isReady(): Promise<boolean> {
    return accepts(this.port);
  }

  #args(): readonly string[] {
    const { name, clientPort, peerPort } = this.#member;
    const { files } = this.certificates ?? {};
    const client = `${files === undefined ? 'http' : 'https'}://127.0.0.1:${clientPort}`;
    const peerUrl = (port: number): string => `http://127.0.0.1:${port}`;
    return [
      ...['--name', name, '--data-dir', this.#dataDirectory],
      ...['--listen-client-urls', client, '--advertise-client-urls', client],
      ...['--listen-peer-urls', peerUrl(peerPort)],
      ...['--initial-advertise-peer-urls', peerUrl(peerPort)],
      '--initial-cluster',
      this.#members.map((member) => `${member.name}=${peerUrl(member.peerPort)}`).join(','),
      ...['--initial-cluster-state', existsSync(this.#dataDirectory) ? 'existing' : 'new'],
      // Small, so that tests start quickly; a lease lasts 1.5 election timeouts at least.
      ...['--heartbeat-interval', '50', '--election-timeout', '500'],
      // Passwords of tests need no protection that costs 100 ms for each login.
      ...['--bcrypt-cost', '4'],
      ...['--logger', 'zap', '--log-level', 'error'],
      ...(files === undefined ? [] : ['--client-cert-auth', '--trusted-ca-file', files.ca]),
      ...(files === undefined ? [] : ['--cert-file', files.cert, '--key-file', files.key]),
      ...(this.#options.args ?? []),
    ];
  }
}
