// Ends a WebSocket from the middle: a close frame is put in between two frames of the instance.
import type { Socket } from 'node:net';
import { FrameTracker, goingAwayFrame } from './websocket-frames.ts';

/**
 * - `open`: the instance's bytes are piped to the client by someone else; here they are only followed.
 * - `closing`: the frame under way is passed on to its end.
 * - `closed`: the client was told; what the instance still sends goes nowhere.
 */
type Phase = 'open' | 'closing' | 'closed';

export class WebSocketCloser {
  readonly #client: Socket;
  readonly #instance: Socket;
  readonly #frames = new FrameTracker();
  #phase: Phase = 'open';

  constructor(client: Socket, instance: Socket) {
    this.#client = client;
    this.#instance = instance;
    instance.on('data', (chunk: Buffer) => {
      this.#follow(chunk);
    });
  }

  /**
   * Sends the client status 1001 as soon as the frame under way has ended. Its answer goes on to the instance, which
   * then closes; whether either does is not waited for.
   */
  close(): void {
    if (this.#phase !== 'open') return;
    this.#phase = 'closing';
    this.#instance.unpipe(this.#client);
    // The pipe would have ended the client.
    this.#instance.once('end', () => this.#client.end());
    this.#instance.resume();
    if (this.#frames.atBoundary) this.#tell();
  }

  #follow(chunk: Buffer): void {
    if (this.#phase === 'closed') return;
    const frameEnd = this.#frames.push(chunk);
    if (this.#phase === 'open') return;
    this.#client.write(frameEnd === undefined ? chunk : chunk.subarray(0, frameEnd));
    if (frameEnd !== undefined) this.#tell();
  }

  #tell(): void {
    this.#phase = 'closed';
    this.#client.write(goingAwayFrame);
  }
}
