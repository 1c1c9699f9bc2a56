// A Sentinel of the tests' own: it names whatever server it is told to, or says nothing.
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export class FakeSentinel implements AsyncDisposable {
  /** The port that it names as the primary's; without one it does not answer. */
  names: number | undefined;
  readonly connections = new Set<Socket>();
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((socket) => {
      this.connections.add(socket);
      socket.on('close', () => this.connections.delete(socket));
      socket.on('error', () => undefined);
      socket.on('data', (chunk) => this.#answer(socket, chunk.toString()));
    });
  }

  static async start(names?: number): Promise<FakeSentinel> {
    const sentinel = new FakeSentinel();
    sentinel.names = names;
    sentinel.#server.listen(0, '127.0.0.1');
    await once(sentinel.#server, 'listening');
    return sentinel;
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  #answer(socket: Socket, text: string): void {
    if (this.names === undefined) return;
    const port = String(this.names);
    // Whatever else a client says when it comes is fine.
    for (const [, command = ''] of text.matchAll(/\*\d+\r\n\$\d+\r\n(\w+)/g)) {
      const address = `*2\r\n$9\r\n127.0.0.1\r\n$${port.length}\r\n${port}\r\n`;
      socket.write(/^sentinel$/i.test(command) ? address : '+OK\r\n');
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.connections) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
