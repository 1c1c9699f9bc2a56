// WebSocket messages to a port: each connection sends one, waits until it has come back, and sends the next.
//
//   node --import tsx bench/load-websocket.ts PORT --seconds 5 --connections 64
//
// Prints one line of JSON. Frames are made and read here, for a library would need more of the CPU than they cost a proxy.
import { connect, type Socket } from 'node:net';
import { parseArgs } from 'node:util';

const payload = Buffer.alloc(64, 'x');
const binary = 0x82;
/** Masked with zeros, which changes nothing. */
const frame = Buffer.concat([Buffer.from([binary, 0x80 | payload.length, 0, 0, 0, 0]), payload]);
const echo = Buffer.concat([Buffer.from([binary, payload.length]), payload]);
const upgrade =
  'GET /echo HTTP/1.1\r\nHost: web\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: b3V0cmlnZ2VyIGJlbmNoIQ==\r\n\r\n';
const handshakeMs = 5000;

class Client {
  readonly #sockets = new Set<Socket>();
  messages = 0;
  failed = 0;

  /** Resolves when the handshake is over, and says whether there is a WebSocket now. */
  open(port: number): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true });
      this.#sockets.add(socket);
      socket.setTimeout(handshakeMs, () => socket.destroy());
      let head = '';
      const read = (bytes: Buffer): void => {
        head += bytes.toString('latin1');
        if (!head.includes('\r\n\r\n')) return;
        socket.off('data', read);
        socket.setTimeout(0);
        if (head.startsWith('HTTP/1.1 101 ')) resolve(true);
        else socket.destroy();
      };
      socket.on('data', read);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        resolve(false);
        // Only those that are not closed here.
        if (this.#sockets.delete(socket)) this.failed++;
      });
      socket.write(upgrade);
    });
  }

  start(): void {
    for (const socket of this.#sockets) {
      let received: Buffer = Buffer.alloc(0);
      socket.on('data', (bytes: Buffer) => {
        received = received.length === 0 ? bytes : Buffer.concat([received, bytes]);
        if (received.length < echo.length) return;
        if (!received.equals(echo)) this.failed++;
        this.messages++;
        received = Buffer.alloc(0);
        socket.write(frame);
      });
      socket.write(frame);
    }
  }

  close(): void {
    const open = [...this.#sockets];
    this.#sockets.clear();
    for (const socket of open) socket.destroy();
  }
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seconds: { type: 'string', default: '5' },
      connections: { type: 'string', default: '64' },
    },
  });
  const port = Number(positionals[0]);
  const client = new Client();
  const opening = Array.from({ length: Number(values.connections) }, () => client.open(port));
  const carried = (await Promise.all(opening)).every(Boolean);
  const startedMs = performance.now();
  if (carried) {
    client.start();
    await new Promise((resolve) => setTimeout(resolve, Number(values.seconds) * 1000));
  }
  const seconds = (performance.now() - startedMs) / 1000;
  client.close();
  const { messages: requests, failed } = client;
  console.log(JSON.stringify({ carried, requests, bytes: 0, seconds, failed }));
}

await main();
