// Starts processes of a Hydra fleet and talks to them.
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { eventually } from '../../../support/eventually.ts';
import type { PeerMessage, PeerOptions, PeerRequest } from './peer.ts';

const path = fileURLToPath(new URL('peer.ts', import.meta.url));

export class HydraPeer implements AsyncDisposable {
  /** Messages that the fleet sent to it. */
  readonly heard: unknown[] = [];
  readonly #child: ChildProcess;
  readonly #answers = new Map<number, (message: PeerMessage) => void>();
  #ready: Extract<PeerMessage, { kind: 'ready' }> | undefined;
  #requests = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', (message: PeerMessage) => {
      if (message.kind === 'ready') this.#ready = message;
      else if (message.kind === 'heard') this.heard.push(message.message);
      else this.#answers.get(message.number)?.(message);
    });
  }

  /** Resolves when it is registered. */
  static async start(
    service: string,
    redisUrl: string,
    routes: readonly string[] = [],
  ): Promise<HydraPeer> {
    const options: PeerOptions = { service, redisUrl, routes };
    const child = fork(path, [JSON.stringify(options)], {
      execArgv: ['--import', 'tsx'],
      env: { PATH: process.env['PATH'] },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    const peer = new HydraPeer(child);
    try {
      await eventually('the peer has registered', () => peer.#ready, { deadlineMs: 20_000 });
    } catch (error) {
      await peer[Symbol.asyncDispose]();
      throw error;
    }
    return peer;
  }

  get instanceId(): string {
    return this.#ready?.instanceId ?? '';
  }

  get port(): number {
    return this.#ready?.port ?? 0;
  }

  /** Of the npm package. */
  get version(): string {
    return this.#ready?.version ?? '';
  }

  /** Calls a method of hydra in the process; rejects with what it rejected with. */
  async call(method: string, ...args: readonly unknown[]): Promise<unknown> {
    this.#requests++;
    const request: PeerRequest = { number: this.#requests, call: method, args };
    const message = await new Promise<PeerMessage>((resolve) => {
      this.#answers.set(request.number, resolve);
      this.#child.send(request);
    });
    this.#answers.delete(request.number);
    if (message.kind === 'failure') throw new Error(message.reason);
    return message.kind === 'answer' ? message.value : undefined;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.kill();
    await ended;
  }
}
