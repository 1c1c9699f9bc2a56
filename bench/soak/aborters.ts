// Clients that go away in the middle: before the reply, within a large one, and within a body that they had begun to send.
import { connect, type Socket } from 'node:net';

const everyMs = 100;
const head = 'Host: web\r\nContent-Length: ';
const requests = [
  { text: 'GET / HTTP/1.1\r\nHost: web\r\n\r\n', after: 'sent' },
  { text: 'GET /100k HTTP/1.1\r\nHost: web\r\n\r\n', after: 'first bytes' },
  { text: `POST / HTTP/1.1\r\n${head}4000\r\n\r\nabc`, after: 'sent' },
  { text: 'GET / HTTP/1.1\r\nHos', after: 'sent' },
] as const;
/** A connection that gets no bytes ends then. */
const patienceMs = 1000;

export class Aborters {
  readonly #port: number;
  readonly #open = new Set<Socket>();
  #timer: NodeJS.Timeout | undefined;
  /** How many have gone. */
  count = 0;

  constructor(port: number) {
    this.#port = port;
  }

  start(): void {
    this.#timer ??= setInterval(() => this.#come(), everyMs);
  }

  /** Resolves when the last one has gone. */
  async pause(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    const closed = [...this.#open].map(
      (socket) => new Promise((resolve) => socket.once('close', resolve)),
    );
    for (const socket of this.#open) socket.destroy();
    await Promise.all(closed);
  }

  #come(): void {
    const request = requests[this.count % requests.length] ?? requests[0];
    // A reset, not an orderly end; each kind of request in turn.
    const isRude = Math.floor(this.count / requests.length) % 2 === 1;
    this.count++;
    const socket = connect({ port: this.#port, host: '127.0.0.1' });
    this.#open.add(socket);
    const leave = (): void => {
      if (isRude) socket.resetAndDestroy();
      else socket.destroy();
    };
    socket.on('error', () => undefined);
    socket.once('close', () => this.#open.delete(socket));
    socket.setTimeout(patienceMs, leave);
    socket.write(request.text, () => {
      if (request.after === 'sent') setTimeout(leave, 2);
    });
    if (request.after === 'first bytes') socket.once('data', leave);
    else socket.resume();
  }
}
