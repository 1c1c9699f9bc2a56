// Real ZooKeeper servers for tests: Debian's package, one JVM each, on a free port of 127.0.0.1, with a directory of its own.
import { once } from 'node:events';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { makeCertificates, type Certificates } from './certificates.ts';
import { freePort } from '../support/free-port.ts';
import { requireProgram, ServerProcess } from './server-process.ts';

export interface ZooKeeperOptions {
  /** TLS only, with certificates made for 127.0.0.1 and localhost; clients must show one too. */
  readonly tls?: boolean;
}

export interface ZooKeeperServer {
  readonly port: number;
  readonly certificates: Certificates | undefined;
  /** As the server says itself. */
  version(): Promise<string>;
  /** The answer to one of the four-letter words, such as `cons`. */
  ask(word: string): Promise<string>;
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

const jarNames = [
  ...['zookeeper', 'zookeeper-jute', 'slf4j-api', 'slf4j-simple', 'snappy-java', 'metrics-core'],
  ...['netty-buffer', 'netty-codec', 'netty-common', 'netty-handler', 'netty-resolver'],
  ...['netty-transport', 'netty-transport-native-unix-common', 'netty-transport-native-epoll'],
  'commons-cli',
];
const classPath = jarNames.map((name) => `/usr/share/java/${name}.jar`);
const zooKeeperProgram = '/usr/share/zookeeper/bin/zkServer.sh';
const packages = ['zookeeper', 'openjdk-17-jre-headless'];
const portAttempts = 3;
/** A Java server that starts beside others on a small machine. */
const startMs = 60_000;
const answerMs = 5000;
/** Sessions end up to this much late. */
const tickMs = 200;
/** Quick to start and small; what the compiler makes of it does not matter for tests. */
const javaArgs = ['-Xmx128m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'];

/** Why tests with ZooKeeper cannot run here, if they cannot. */
export function requireZooKeeper(): string | undefined {
  const server = '/usr/share/java/zookeeper.jar';
  if (existsSync(server)) return requireProgram('java', packages);
  // Installed with the packages.
  return requireProgram(zooKeeperProgram, packages);
}

export async function startZooKeeper(options: ZooKeeperOptions = {}): Promise<ZooKeeperServer> {
  for (let attempt = 1; ; attempt++) {
    const server = new Server(await freePort(), options);
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

class Server implements ZooKeeperServer {
  readonly port: number;
  readonly certificates: Certificates | undefined;
  readonly #process = new ServerProcess('zookeeper');

  constructor(port: number, options: ZooKeeperOptions) {
    this.port = port;
    const { directory } = this.#process;
    this.certificates = options.tls === true ? makeCertificates(directory) : undefined;
  }

  async start(): Promise<void> {
    const { directory } = this.#process;
    const configuration = join(directory, 'zoo.cfg');
    writeFileSync(configuration, [...this.#settings(), ''].join('\n'));
    const args = [
      ...javaArgs,
      `-Djava.io.tmpdir=${directory}`,
      // The tests end processes, not the machine.
      '-Dzookeeper.forceSync=no',
      '-Dorg.slf4j.simpleLogger.defaultLogLevel=error',
      ...['-cp', classPath.join(':')],
      ...['org.apache.zookeeper.server.quorum.QuorumPeerMain', configuration],
    ];
    await this.#process.start(
      { file: 'java', args },
      // It accepts connections, and says to be well, before it serves.
      async () => (await this.ask('srvr').catch(() => '')).includes('Mode: '),
      startMs,
    );
  }

  async version(): Promise<string> {
    return /version: ([\d.]+)/.exec(await this.ask('srvr'))?.[1] ?? 'unknown';
  }

  async ask(word: string): Promise<string> {
    const socket = this.#connect();
    const signal = AbortSignal.timeout(answerMs);
    try {
      await once(socket, this.certificates === undefined ? 'connect' : 'secureConnect', { signal });
      socket.end(word);
      let text = '';
      socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
      await once(socket, 'end', { signal });
      return text;
    } finally {
      socket.on('error', () => undefined);
      socket.destroy();
    }
  }

  async restartEmpty(): Promise<void> {
    await this.#process.end();
    rmSync(join(this.#process.directory, 'data'), { recursive: true, force: true });
    await this.start();
  }

  async restartWithData(downMs = 0): Promise<void> {
    await this.#process.end('SIGTERM');
    await sleep(downMs);
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

  #connect(): Socket {
    const { port, certificates } = this;
    const address = { port, host: '127.0.0.1' };
    if (certificates === undefined) return connect(address);
    const { ca, cert, key } = certificates;
    return connectTls({ ...address, ca, cert, key });
  }

  #settings(): readonly string[] {
    const { directory } = this.#process;
    return [
      `dataDir=${join(directory, 'data')}`,
      `tickTime=${tickMs}`,
      `minSessionTimeout=${2 * tickMs}`,
      'maxSessionTimeout=60000',
      'maxClientCnxns=0',
      'admin.enableServer=false',
      '4lw.commands.whitelist=*',
      ...this.#portSettings(),
    ];
  }

  #portSettings(): readonly string[] {
    if (this.certificates === undefined) {
      return [`clientPort=${this.port}`, 'clientPortAddress=127.0.0.1'];
    }
    const { directory } = this.#process;
    const { ca, cert, key } = this.certificates;
    const keyStore = join(directory, 'server.pem');
    const trustStore = join(directory, 'authority.pem');
    writeFileSync(keyStore, `${key}${cert}`);
    writeFileSync(trustStore, ca);
    return [
      `secureClientPort=${this.port}`,
      'secureClientPortAddress=127.0.0.1',
      'serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory',
      `ssl.keyStore.location=${keyStore}`,
      `ssl.trustStore.location=${trustStore}`,
      'ssl.clientAuth=need',
    ];
  }
}
