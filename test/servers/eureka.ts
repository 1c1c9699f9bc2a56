// Real Eureka servers for tests: Spring Cloud's, built once for each machine from the sources beside this file.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../support/free-port.ts';
import { requireProgram, ServerProcess } from './server-process.ts';

export interface EurekaServerOptions {
  readonly port?: number;
  /** Basic authentication of the user `outrigger`. */
  readonly password?: string;
  /** Nothing is ever evicted, as if most clients had stopped renewing. */
  readonly selfPreservation?: boolean;
  /** Further properties of the server, such as `--eureka.server.disableDelta=true`. */
  readonly args?: readonly string[];
}

export interface EurekaServer {
  /** Opens the registry, with the password. */
  readonly url: string;
  readonly port: number;
  /** One HTTP request below `/eureka`; the answer's status and text. */
  call(
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ readonly status: number; readonly text: string }>;
  /** Removes every instance. */
  clear(): Promise<void>;
  /** Ended at once; `start` begins anew, without data, as Eureka keeps everything in memory. */
  end(): Promise<void>;
  start(): Promise<void>;
  /** Stopped by SIGSTOP: connections stay open and nothing is answered. */
  pause(): void;
  resume(): void;
  /** Killed; its directory is removed. */
  stop(): Promise<void>;
}

/** Why tests with Eureka cannot run here, if they cannot. Builds the server when that has not been done yet. */
export function requireEureka(): string | undefined {
  const missing =
    requireProgram('java', ['openjdk-17-jre-headless']) ??
    (existsSync(archivePath(serverDirectory())) ? undefined : requireProgram('mvn', ['maven']));
  if (missing !== undefined) return missing;
  const failure = build();
  if (failure !== undefined && process.env['CI'] === 'true') throw new Error(failure);
  return failure;
}

/** Of Netflix's library in the server that was built. */
export function eurekaVersion(): string {
  const names = readdirSync(join(serverDirectory(), 'lib'));
  const core = names.find((name) => /^eureka-core-\d/.test(name)) ?? '';
  return /^eureka-core-(.+)\.jar$/.exec(core)?.[1] ?? 'unknown';
}

export async function startEureka(options: EurekaServerOptions = {}): Promise<EurekaServer> {
  for (let attempt = 1; ; attempt++) {
    const server = new Server(options.port ?? (await freePort()), options);
    try {
      await server.start();
      return server;
    } catch (error) {
      // Between being found free and being used, a port may be taken by another test.
      await server.stop();
      if (options.port !== undefined || attempt === portAttempts) throw error;
    }
  }
}

const user = 'outrigger';
const portAttempts = 3;
/** A Java server that starts beside others on a small machine. */
const startMs = 120_000;
const answerMs = 10_000;
const sources = fileURLToPath(new URL('eureka/', import.meta.url));
const sourceFiles = [
  'pom.xml',
  'src/main/java/outrigger/test/EurekaServer.java',
  'src/main/resources/application.yml',
];
/** Quick to start and small; what the compiler makes of it does not matter for tests. */
const javaArgs = ['-Xmx256m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'];
/** Leases end soon after their time, every change is seen at once, and lists of changes stay short. */
const quickArgs = [
  '--eureka.server.retentionTimeInMSInDeltaQueue=10000',
  '--eureka.server.deltaRetentionTimerIntervalInMs=500',
  '--eureka.server.evictionIntervalTimerInMs=200',
  '--eureka.server.useReadOnlyResponseCache=false',
  // A list that was made while it changed may be kept as if it were new.
  '--eureka.server.responseCacheAutoExpirationInSeconds=1',
];

class Server implements EurekaServer {
  readonly url: string;
  readonly port: number;
  readonly #process = new ServerProcess('eureka');
  readonly #options: EurekaServerOptions;

  constructor(port: number, options: EurekaServerOptions) {
    const { password } = options;
    const login = password === undefined ? '' : `${user}:${password}@`;
    this.url = `eureka://${login}127.0.0.1:${port}/eureka`;
    this.port = port;
    this.#options = options;
  }

  start(): Promise<void> {
    const directory = serverDirectory();
    const args = [
      ...javaArgs,
      // Its own, so that nothing is left behind in the system's.
      `-Djava.io.tmpdir=${this.#process.directory}`,
      `-XX:SharedArchiveFile=${archivePath(directory)}`,
      '-jar',
      join(directory, 'eureka.jar'),
      ...this.#properties(),
    ];
    return this.#process.start(
      { file: 'java', args },
      async () => (await this.call('GET', '/apps')).status > 0,
      startMs,
    );
  }

  async call(
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ readonly status: number; readonly text: string }> {
    const { password } = this.#options;
    const login = Buffer.from(`${user}:${password ?? ''}`).toString('base64');
    const answer = await fetch(`http://127.0.0.1:${this.port}/eureka${path}`, {
      method,
      headers: {
        accept: 'application/json',
        'content-type': 'application/json',
        ...(password !== undefined && { authorization: `Basic ${login}` }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(answerMs),
    });
    return { status: answer.status, text: await answer.text() };
  }

  async clear(): Promise<void> {
    const { text } = await this.call('GET', '/apps');
    const paths = [...text.matchAll(/"instanceId":"([^"]+)".*?"app":"([^"]+)"/g)].map(
      ([, id = '', app = '']) => `/apps/${app}/${encodeURIComponent(id)}`,
    );
    await Promise.all(paths.map((path) => this.call('DELETE', path)));
  }

  end(): Promise<void> {
    return this.#process.end();
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

  #properties(): readonly string[] {
    const { password, selfPreservation = false, args = [] } = this.#options;
    return [
      `--server.port=${this.port}`,
      `--eureka.server.enableSelfPreservation=${String(selfPreservation)}`,
      `--eureka.server.renewalPercentThreshold=${selfPreservation ? 1000 : 0}`,
      ...quickArgs,
      ...(password === undefined ? [] : [`--test.login=${user}:${password}`]),
      ...args,
    ];
  }
}

/** Where the server is built: one place for each state of its sources. */
function serverDirectory(): string {
  const hash = createHash('sha256');
  for (const file of sourceFiles) hash.update(readFileSync(join(sources, file)));
  const pom = readFileSync(join(sources, 'pom.xml'), 'utf8');
  const version = /<spring-cloud\.version>(.*)<\/spring-cloud\.version>/.exec(pom)?.[1] ?? '';
  const name = `eureka-${version}-${hash.digest('hex').slice(0, 8)}`;
  return join(homedir(), '.cache', 'outrigger-test-servers', name);
}

/**
 * Returns why it failed, if it did. Each step works aside and moves what is complete, as several test files may need it at
 * once.
 */
function build(): string | undefined {
  const directory = serverDirectory();
  const archive = archivePath(directory);
  if (existsSync(archive)) return undefined;
  mkdirSync(join(directory, '..'), { recursive: true });
  const work = mkdtempSync(`${directory}.`);
  try {
    cpSync(sources, work, { recursive: true });
    const jar = 'target/eureka.jar';
    const failure =
      run(work, 'mvn', '--quiet', '--batch-mode', '-DskipTests', 'package') ??
      run(work, 'java', '-Djarmode=tools', '-jar', jar, 'extract', '--destination', 'app');
    if (failure !== undefined) return failure;
    if (!existsSync(directory)) renameSync(join(work, 'app'), directory);
    const unarchived = run(work, 'java', ...archivingArgs(directory));
    if (unarchived === undefined) renameSync(join(work, 'archive'), archive);
    return unarchived;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function run(directory: string, file: string, ...args: readonly string[]): string | undefined {
  const options = { cwd: directory, encoding: 'utf8' } as const;
  const { status, stdout, stderr, error } = spawnSync(file, args, options);
  if (status === 0) return undefined;
  return `${file} ${args.join(' ')}: ${error?.message ?? (stdout + stderr).slice(-2000)}`;
}

/** An archive of the classes that a start loads halves its time. It holds for the jar at this path only. */
function archivingArgs(directory: string): readonly string[] {
  return [
    ...javaArgs,
    '-XX:ArchiveClassesAtExit=archive',
    // The server ends by itself when it has started.
    '-Dspring.context.exit=onRefresh',
    ...['-jar', join(directory, 'eureka.jar'), '--server.port=0'],
  ];
}

function archivePath(directory: string): string {
  return join(directory, 'eureka.jsa');
}
