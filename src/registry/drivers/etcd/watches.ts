// Everything that the driver watches, on one stream of one connection.
import { RegistryError } from '../../../core/errors.ts';
import { SharedCall } from './shared-call.ts';
import type { KeyRange } from './messages.ts';
import { WatchStream, type WatchListener, type WatchStreamDeps } from './watch-stream.ts';

export interface WatchesOptions {
  /** The server is asked for a sign of life so often. */
  readonly probeEveryMs: number;
  /** Without an answer for so long, the stream counts as dead. */
  readonly answerMs: number;
}

export class Watches {
  readonly #deps: WatchStreamDeps;
  readonly #options: WatchesOptions;
  #stream: WatchStream | undefined;
  #opening: SharedCall<WatchStream> | undefined;

  constructor(deps: WatchStreamDeps, options: WatchesOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Tells the listener of all events after `revision`. Resolves when the signal aborts; rejects when events may be missed. */
  async watch(
    range: KeyRange,
    revision: number,
    listener: WatchListener,
    signal: AbortSignal,
  ): Promise<void> {
    const stream = await this.#usableStream(signal);
    await stream.watch(range, revision, listener, signal);
  }

  close(): void {
    this.#stream?.close();
  }

  async #usableStream(signal: AbortSignal): Promise<WatchStream> {
    // With an old token the server would refuse further watches; the stream ends once nobody uses it.
    const usable =
      this.#stream?.isOpen === true && this.#stream.token === this.#deps.calls.tokenText;
    if (this.#stream !== undefined && usable) return this.#stream;
    if (this.#opening?.isOver !== false) {
      this.#opening = new SharedCall((ending) => this.#open(ending));
    }
    return this.#opening.join(signal);
  }

  async #open(signal: AbortSignal): Promise<WatchStream> {
    const { clock } = this.#deps;
    const { answerMs } = this.#options;
    const ending = new AbortController();
    const end = (): void => ending.abort(signal.reason);
    signal.addEventListener('abort', end, { once: true });
    const timer = clock.after(answerMs, () => {
      const late = `etcd: no connection within ${answerMs} ms`;
      ending.abort(new RegistryError('registry_timeout', late));
    });
    try {
      this.#stream = await WatchStream.open(this.#deps, this.#options, ending.signal);
      return this.#stream;
    } finally {
      timer.cancel();
      signal.removeEventListener('abort', end);
    }
  }
}
