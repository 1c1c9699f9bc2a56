// A real Kubernetes API server for tests: kube-apiserver with an etcd of its own, built by Go once per machine. There are no
// nodes and no controllers: the tests write what those would.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HttpClient } from '../../src/registry/http-client.ts';
import { makeCertificates, type Certificates } from './certificates.ts';
import { requireEtcd, startEtcd, type EtcdServer } from './etcd.ts';
import { freePort } from '../support/free-port.ts';
import { requireGo } from './go.ts';
import { ServerProcess } from './server-process.ts';

export interface KubernetesServer {
  readonly port: number;
  readonly certificates: Certificates;
  /** With the token of an administrator in a file, and the server's authority; other parameters may follow. */
  url(namespace: string, options?: { readonly port?: number; readonly tokenFile?: string }): string;
  /** Writes a token into a new file: `adminToken`, `userToken` (who may do nothing until a role says so) or any other. */
  tokenFile(name: string, token: string): string;
  /** One call as administrator; rejects when it fails, but for the statuses given. */
  call(
    method: string,
    path: string,
    object?: object,
    accepted?: readonly number[],
  ): Promise<string>;
  createNamespace(name: string): Promise<void>;
  /** Killed, and up again without data when this resolves. */
  restartEmpty(): Promise<void>;
  /** Down for about that long, and up again with its data when this resolves. */
  restartWithData(downMs?: number): Promise<void>;
  /** Stopped by SIGSTOP: connections stay open and nothing is answered. */
  pause(): void;
  resume(): void;
  /** Killed; its directory is removed. */
  stop(): Promise<void>;
}

export const adminToken = 'admin-token';
/** Of the user `agent`. */
export const userToken = 'user-token';

const moduleDirectory = fileURLToPath(new URL('kubernetes', import.meta.url));
const moduleFile = join(moduleDirectory, 'go.mod');
export const kubernetesVersion = readVersion();
const binary = join(
  homedir(),
  '.cache/outrigger-test-servers',
  `kube-apiserver-${kubernetesVersion}`,
);

/** Why tests with Kubernetes cannot run here, if they cannot. Builds the server when it is missing: many minutes. */
export function requireKubernetes(): string | undefined {
  const reason =
    requireEtcd() ?? (existsSync(binary) ? undefined : (requireGo(moduleFile) ?? build()));
  if (reason !== undefined && process.env['CI'] === 'true') throw new Error(reason);
  return reason;
}

function readVersion(): string {
  const text = readFileSync(moduleFile, 'utf8');
  return /k8s\.io\/kubernetes v(\S+)/.exec(text)?.[1] ?? 'unknown';
}

function build(): string | undefined {
  mkdirSync(join(binary, '..'), { recursive: true });
  const unfinished = `${binary}.${process.pid}`;
  const version = `-X k8s.io/component-base/version.gitVersion=v${kubernetesVersion}`;
  const { status, error, stderr } = spawnSync(
    'go',
    [
      ...['build', '-trimpath', '-ldflags', `-s -w ${version}`, '-o', unfinished],
      'k8s.io/kubernetes/cmd/kube-apiserver',
    ],
    { cwd: moduleDirectory, env: { ...process.env, GOTOOLCHAIN: 'local' }, encoding: 'utf8' },
  );
  if (status !== 0) {
    return `kube-apiserver cannot be built: ${error?.message ?? stderr.slice(-500)}`;
  }
  renameSync(unfinished, binary);
  return undefined;
}

const portAttempts = 5;
const startMs = 60_000;

export async function startKubernetes(): Promise<KubernetesServer> {
  for (let attempt = 1; ; attempt++) {
    const server = new Server(await freePort(), await startEtcd({ args: ['--unsafe-no-fsync'] }));
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

class Server implements KubernetesServer {
  readonly port: number;
  readonly certificates: Certificates;
  readonly #etcd: EtcdServer;
  readonly #process = new ServerProcess('kube-apiserver');
  readonly #client: HttpClient;
  readonly #adminTokenFile: string;

  constructor(port: number, etcd: EtcdServer) {
    this.port = port;
    this.#etcd = etcd;
    this.certificates = makeCertificates(this.#process.directory);
    this.#client = new HttpClient({
      servers: [{ host: '127.0.0.1', port }],
      tls: { ca: this.certificates.ca },
      headers: () => ({ authorization: `Bearer ${adminToken}` }),
    });
    const tokens = `${adminToken},admin,1,system:masters\n${userToken},agent,2\n`;
    writeFileSync(this.#path('tokens.csv'), tokens);
    this.#adminTokenFile = this.tokenFile('admin', adminToken);
  }

  url(
    namespace: string,
    options: { readonly port?: number; readonly tokenFile?: string } = {},
  ): string {
    const query = new URLSearchParams({
      server: `https://127.0.0.1:${options.port ?? this.port}`,
      ca: this.certificates.files.ca,
      'token-file': options.tokenFile ?? this.#adminTokenFile,
    });
    return `k8s://${namespace}?${query.toString()}`;
  }

  tokenFile(name: string, token: string): string {
    const path = this.#path(`${name}.token`);
    writeFileSync(path, `${token}\n`);
    return path;
  }

  start(): Promise<void> {
    return this.#process.start(
      { file: binary, args: this.#args(), env: { GOGC: '400' } },
      () => this.#isReady(),
      startMs,
    );
  }

  async call(
    method: string,
    path: string,
    object?: object,
    accepted: readonly number[] = [],
  ): Promise<string> {
    const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    const answer = await this.#client.request(
      {
        method,
        path,
        headers: { 'content-type': type },
        ...(object && { body: JSON.stringify(object) }),
      },
      AbortSignal.timeout(10_000),
    );
    const { status, text } = answer;
    if ((status < 200 || status > 299) && !accepted.includes(status)) {
      throw new Error(`${method} ${path}: ${status} ${text}`);
    }
    return text;
  }

  async createNamespace(name: string): Promise<void> {
    await this.call('POST', '/api/v1/namespaces', { metadata: { name } });
  }

  async restartEmpty(): Promise<void> {
    await this.#process.end();
    await this.#etcd.restartEmpty();
    await this.start();
  }

  async restartWithData(downMs = 0): Promise<void> {
    await this.#process.end();
    await this.#etcd.restartWithData(downMs);
    await this.start();
  }

  pause(): void {
    this.#process.pause();
  }

  resume(): void {
    this.#process.resume();
  }

  async stop(): Promise<void> {
    this.#client.close();
    await this.#process.stop();
    await this.#etcd.stop();
  }

  /** The server makes the namespace `default` by itself, a little later than it says that it is ready. */
  async #isReady(): Promise<boolean> {
    try {
      await this.call('GET', '/readyz');
      await this.call('GET', '/api/v1/namespaces/default');
      return true;
    } catch {
      return false;
    }
  }

  #path(name: string): string {
    return join(this.#process.directory, name);
  }

  #args(): readonly string[] {
    const { files } = this.certificates;
    return [
      `--etcd-servers=http://127.0.0.1:${this.#etcd.port}`,
      ...['--bind-address=127.0.0.1', '--advertise-address=127.0.0.1'],
      ...[`--secure-port=${this.port}`, `--cert-dir=${this.#path('certs')}`],
      ...[`--tls-cert-file=${files.cert}`, `--tls-private-key-file=${files.key}`],
      `--client-ca-file=${files.ca}`,
      `--token-auth-file=${this.#path('tokens.csv')}`,
      '--authorization-mode=RBAC',
      // Of service accounts, which need a controller that makes them.
      ...['--service-account-issuer=https://localhost', `--service-account-key-file=${files.cert}`],
      `--service-account-signing-key-file=${files.key}`,
      '--disable-admission-plugins=ServiceAccount',
      ...['--service-cluster-ip-range=10.0.0.0/24', '--endpoint-reconciler-type=none'],
    ];
  }
}
