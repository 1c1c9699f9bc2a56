// One stream of watches: made and ended by messages, probed for life, and lost as a whole.
import type { Clock, Timer } from '../../../core/clock.ts';
import { RegistryError } from '../../../core/errors.ts';
import type { EtcdCalls } from './calls.ts';
import type { OpenStream } from './grpc-channel.ts';
import {
  readWatchAnswer,
  watchCancelRequest,
  watchCreateRequest,
  watchProgressRequest,
  type KeyRange,
  type WatchAnswer,
  type WatchEvent,
} from './messages.ts';
import type { Trouble } from './trouble.ts';

export interface WatchListener {
  events(events: readonly WatchEvent[], revision: number): void;
  /** The server was asked and has no other events. */
  confirmed(): void;
}

export interface WatchStreamDeps {
  readonly clock: Clock;
  readonly calls: EtcdCalls;
  readonly trouble: Trouble;
}

interface WatchStreamOptions {
  readonly probeEveryMs: number;
  readonly answerMs: number;
}

interface Watch {
  readonly listener: WatchListener;
  /** Ends it for its caller, who is told the error if there is one. */
  readonly end: (error?: RegistryError) => void;
  state: { readonly kind: 'asked' | 'stopped' } | { readonly kind: 'running'; readonly id: number };
}

type StreamState =
  | { readonly kind: 'opening' }
  | { readonly kind: 'open'; readonly connection: OpenStream }
  | { readonly kind: 'ended'; readonly error: RegistryError };

const graceMs = 100;

export class WatchStream {
  readonly #clock: Clock;
  readonly #trouble: Trouble;
  readonly #options: WatchStreamOptions;
  /** In the order in which they were asked for, which is the order of the answers. */
  readonly #asked: Watch[] = [];
  readonly #running = new Map<number, Watch>();
  #state: StreamState = { kind: 'opening' };
  #heardAtMs = -Infinity;
  #probe: Timer | undefined;
  #deadline: Timer | undefined;
  #token = '';

  private constructor(deps: WatchStreamDeps, options: WatchStreamOptions) {
    this.#clock = deps.clock;
    this.#trouble = deps.trouble;
    this.#options = options;
  }

  /** The signal only ends the wait for a connection. */
  static async open(
    deps: WatchStreamDeps,
    options: WatchStreamOptions,
    signal: AbortSignal,
  ): Promise<WatchStream> {
    const stream = new WatchStream(deps, options);
    const sink = {
      message: (message: Buffer): void => stream.#hear(readWatchAnswer(message)),
      ended: (error: RegistryError | undefined): void => {
        stream.#lose(error ?? new RegistryError('registry_unavailable', 'etcd: the watch ended'));
      },
    };
    const connection = await deps.calls.openWatch(sink, signal);
    if (stream.#state.kind === 'opening') stream.#state = { kind: 'open', connection };
    stream.#token = deps.calls.tokenText;
    stream.#probeLater();
    return stream;
  }

  /** With which it was opened; empty for none. */
  get token(): string {
    return this.#token;
  }

  get isOpen(): boolean {
    return this.#state.kind === 'open';
  }

  /** As `Watches.watch`. */
  watch(
    range: KeyRange,
    revision: number,
    listener: WatchListener,
    signal: AbortSignal,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#state.kind === 'ended') {
        reject(this.#state.error);
        return;
      }
      const abort = (): void => {
        this.#stop(watch);
        watch.end();
      };
      const watch: Watch = {
        listener,
        state: { kind: 'asked' },
        end: (error) => {
          signal.removeEventListener('abort', abort);
          if (error === undefined) resolve();
          else reject(error);
        },
      };
      this.#asked.push(watch);
      this.#send(watchCreateRequest(range, revision + 1));
      this.#expectAnswer();
      signal.addEventListener('abort', abort, { once: true });
      if (signal.aborted) abort();
    });
  }

  close(): void {
    this.#end(new RegistryError('registry_unreachable', 'etcd: closed'));
  }

  #hear(answer: WatchAnswer): void {
    this.#heardAtMs = this.#clock.nowMs();
    if (answer.created) this.#begin(answer);
    else if (answer.canceled) this.#refuse(this.#running.get(answer.watchId), answer);
    else if (answer.events.length > 0) {
      this.#running.get(answer.watchId)?.listener.events(answer.events, answer.revision);
    } else {
      for (const { listener } of this.#running.values()) listener.confirmed();
    }
  }

  #begin(answer: WatchAnswer): void {
    const watch = this.#asked.shift();
    if (watch === undefined) return;
    if (answer.canceled) {
      this.#refuse(watch, answer);
    } else if (watch.state.kind === 'stopped') {
      this.#send(watchCancelRequest(answer.watchId));
    } else {
      watch.state = { kind: 'running', id: answer.watchId };
      this.#running.set(answer.watchId, watch);
    }
  }

  #refuse(watch: Watch | undefined, answer: WatchAnswer): void {
    if (watch === undefined) return;
    if (watch.state.kind === 'running') this.#running.delete(watch.state.id);
    watch.state = { kind: 'stopped' };
    watch.end(refusalOf(answer));
  }

  #stop(watch: Watch): void {
    if (watch.state.kind === 'running') {
      this.#running.delete(watch.state.id);
      this.#send(watchCancelRequest(watch.state.id));
    }
    watch.state = { kind: 'stopped' };
  }

  #send(message: Buffer): void {
    if (this.#state.kind === 'open') this.#state.connection.stream.send(message);
  }

  #probeLater(): void {
    if (this.#state.kind !== 'open') return;
    this.#probe = this.#clock.after(this.#options.probeEveryMs, () => {
      if (this.#running.size === 0 && this.#asked.length === 0) {
        this.close();
        return;
      }
      this.#send(watchProgressRequest());
      this.#expectAnswer();
      this.#probeLater();
    });
  }

  /** A connection may be dead without any sign: then no answer comes. */
  #expectAnswer(): void {
    if (this.#deadline !== undefined) return;
    const askedAtMs = this.#clock.nowMs();
    this.#deadline = this.#clock.after(this.#options.answerMs, () => {
      // If this process was too busy to read the answer, it does so within the grace.
      this.#deadline = this.#clock.after(graceMs, () => {
        this.#deadline = undefined;
        if (this.#heardAtMs < askedAtMs) this.#fallSilent();
      });
    });
  }

  #fallSilent(): void {
    const { answerMs } = this.#options;
    if (this.#state.kind === 'open') this.#state.connection.leaveServer();
    this.#lose(new RegistryError('registry_timeout', `etcd: no sign of life for ${answerMs} ms`));
  }

  #lose(error: RegistryError): void {
    if (this.#state.kind !== 'ended') this.#trouble.begin();
    this.#end(error);
  }

  #end(error: RegistryError): void {
    if (this.#state.kind === 'ended') return;
    if (this.#state.kind === 'open') this.#state.connection.stream.close();
    this.#state = { kind: 'ended', error };
    this.#probe?.cancel();
    this.#deadline?.cancel();
    const watches = [...this.#asked.splice(0), ...this.#running.values()];
    this.#running.clear();
    for (const watch of watches) watch.end(error);
  }
}

function refusalOf({ compactRevision, cancelReason }: WatchAnswer): RegistryError {
  if (compactRevision > 0) {
    const message = `etcd: compacted up to revision ${compactRevision}`;
    return new RegistryError('registry_compacted', message);
  }
  const code = /permission denied|auth token/.test(cancelReason)
    ? 'registry_auth'
    : 'registry_unavailable';
  return new RegistryError(code, `etcd: watch canceled: ${cancelReason}`);
}
