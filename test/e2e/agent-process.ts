// Real agents for the end-to-end tests: the built program as a process, with an app beside it.
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { requestJson } from './http-client.ts';

const program = fileURLToPath(new URL('../../bin/outrigger.js', import.meta.url));
const inMemory = '/dev/shm';
/** All of this is also run with `OUTRIGGER_FAST_LANE=false`: nothing may depend on the lane. */
const lane = { OUTRIGGER_FAST_LANE: process.env['OUTRIGGER_FAST_LANE'] ?? 'true' };
const appScript = fileURLToPath(new URL('app.js', import.meta.url));

export interface AgentOptions {
  readonly service?: string;
  /** What the app calls itself; also the name of its ledger. */
  readonly name?: string;
  readonly registry: string;
  /** Further flags of `run`. */
  readonly flags?: readonly string[];
  /** In place of the usual app. */
  readonly command?: readonly string[];
  /** The process's limit of file descriptors. */
  readonly openFilesMax?: number;
  readonly environment?: Readonly<Record<string, string>>;
}

export interface RunningAgent {
  readonly process: ChildProcessByStdio<null, Readable, Readable>;
  readonly name: string;
  readonly appPort: number;
  readonly proxyPort: number;
  readonly adminPort: number;
  readonly exited: Promise<number | null>;
  output(): string;
  /** The app's process, known from its answer. */
  appPid(): Promise<number>;
  status(): Promise<AgentDocument>;
}

/** The parts of `/v1/status` that the tests look at. */
interface AgentDocument {
  readonly life: {
    readonly state: string;
    readonly drain: {
      readonly phases: readonly { readonly phase: string; readonly state: string }[];
    } | null;
  };
  readonly services: readonly { readonly service: string; readonly balance: string }[];
}

export class Fleet {
  /** Of the test's own; in memory where there is such a file system, as the default registry's is. */
  readonly directory = mkdtempSync(join(existsSync(inMemory) ? inMemory : tmpdir(), 'outrigger-'));
  readonly #agents: AgentProcess[] = [];

  /** Everything that the fleet started ends with the test. */
  constructor(t: Pick<TestContext, 'after'>) {
    t.after(async () => {
      await Promise.all(this.#agents.map((agent) => agent.kill()));
      rmSync(this.directory, { recursive: true, force: true, maxRetries: 10 });
    });
  }

  get fileRegistry(): string {
    return `file://${this.directory}/registry`;
  }

  /** Starts an agent with an app; resolves when the agent is ready, which says nothing about its registration. */
  async start(options: AgentOptions): Promise<RunningAgent> {
    const appPort = await freePort();
    const name = options.name ?? options.service ?? 'proxy';
    const agent = this.#spawn(options, appPort);
    return this.#track(agent, name, appPort).ready();
  }

  /** Starts an agent that is to fail; resolves when it has ended. */
  async startFailing(options: AgentOptions): Promise<{ code: number | null; output: string }> {
    const agent = this.#spawn(options, await freePort());
    const running = this.#track(agent, 'failing', 0);
    await once(agent, 'close');
    return { code: await running.exited, output: running.output() };
  }

  /** Like `start`, and waits until the app is registered. */
  async startRegistered(options: AgentOptions): Promise<RunningAgent> {
    const agent = await this.start(options);
    await untilReady(agent);
    return agent;
  }

  /** Every request that an app of that name served, in its order. */
  ledger(name: string): string[] {
    try {
      return readFileSync(this.#ledger(name), 'utf8').split('\n').slice(0, -1);
    } catch {
      return [];
    }
  }

  #track(agent: RunningAgent['process'], name: string, appPort: number): AgentProcess {
    const running = new AgentProcess(agent, name, appPort);
    this.#agents.push(running);
    return running;
  }

  #spawn(options: AgentOptions, appPort: number): RunningAgent['process'] {
    const name = options.name ?? options.service ?? 'proxy';
    const app = [process.execPath, appScript, String(appPort), name, this.#ledger(name)];
    const command = options.command ?? (options.service === undefined ? [] : app);
    const args = [...this.#flags(options, appPort), ...afterDashes(command)];
    const limit = `ulimit -n ${options.openFilesMax ?? '$(ulimit -n)'}; exec "$0" "$@"`;
    return spawn('sh', ['-c', limit, process.execPath, program, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      env: { PATH: process.env['PATH'] ?? '', ...lane, ...options.environment },
    });
  }

  #ledger(name: string): string {
    return join(this.directory, `${name}.ledger`);
  }

  #flags({ service, registry, flags = [] }: AgentOptions, appPort: number): string[] {
    const registered = service === undefined ? [] : ['--name', service, '--port', String(appPort)];
    return [
      'run',
      ...registered,
      ...['--registry', registry, '--state-dir', `${this.directory}/state`],
      ...['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--advertise', '127.0.0.1'],
      ...['--health-interval', '200ms', '--log-format', 'json', '--log-level', 'info'],
      ...flags,
    ];
  }
}

export async function untilReady(agent: RunningAgent): Promise<void> {
  await eventually(`${agent.name} is ready`, async () => {
    const { status } = await requestJson({ port: agent.adminPort, path: '/readyz' });
    return status === 200;
  });
}

class AgentProcess implements RunningAgent {
  readonly process: RunningAgent['process'];
  readonly name: string;
  readonly appPort: number;
  readonly exited: Promise<number | null>;
  proxyPort = 0;
  adminPort = 0;
  #output = '';

  constructor(agent: RunningAgent['process'], name: string, appPort: number) {
    this.process = agent;
    this.name = name;
    this.appPort = appPort;
    agent.stdout.setEncoding('utf8').on('data', (text: string) => (this.#output += text));
    agent.stderr.setEncoding('utf8').on('data', (text: string) => (this.#output += text));
    this.exited = once(agent, 'exit').then(([code]) => code as number | null);
  }

  async ready(): Promise<this> {
    const line = await eventually(`the agent of ${this.name} says where it listens`, () => {
      if (this.process.exitCode !== null) throw new Error(this.#output);
      return (
        /^ready proxy=http:\/\/127\.0\.0\.1:(\d+) admin=http:\/\/127\.0\.0\.1:(\d+) /m.exec(
          this.#output,
        ) ?? false
      );
    });
    this.proxyPort = Number(line[1]);
    this.adminPort = Number(line[2]);
    return this;
  }

  output(): string {
    return this.#output;
  }

  async appPid(): Promise<number> {
    return this.#startedPid() ?? Promise.reject(new Error(`${this.name} has started no app`));
  }

  async status(): Promise<AgentDocument> {
    return (await requestJson({ port: this.adminPort, path: '/v1/status' })).body as AgentDocument;
  }

  /** The pid in the log line that tells of the app's start. */
  #startedPid(): number | undefined {
    const line = this.#output.split('\n').find((text) => text.includes('the app was started'));
    return line === undefined ? undefined : (JSON.parse(line) as { pid: number }).pid;
  }

  /** Ends the agent, and the app that a killed agent has left alone. */
  async kill(): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      this.process.kill('SIGKILL');
      await this.exited;
    }
    const pid = this.#startedPid();
    if (pid === undefined || this.process.exitCode !== null) return;
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // It has ended already.
    }
  }
}

function afterDashes(command: readonly string[]): readonly string[] {
  return command.length === 0 ? [] : ['--', ...command];
}
