// Small GETs over HTTP/2 without TLS, as a client sends them that knows that the port has it. A few connections with a few
// streams each; a stream that has ended is followed by the next.
//
//   node --import tsx bench/load-h2c.ts PORT --seconds 5 --connections 8
//
// Prints one line of JSON.
import { connect, type ClientHttp2Session } from 'node:http2';
import { parseArgs } from 'node:util';

const streamsPerConnection = 8;
const firstMs = 5000;

class Client {
  readonly #session: ClientHttp2Session;
  requests = 0;
  failed = 0;

  constructor(port: number) {
    this.#session = connect(`http://127.0.0.1:${port}`);
    this.#session.on('error', () => undefined);
    this.#session.on('goaway', () => this.close());
  }

  get #isOpen(): boolean {
    return !this.#session.closed && !this.#session.destroyed;
  }

  /** Whether a reply of 200 came. */
  get(): Promise<boolean> {
    if (!this.#isOpen) return Promise.resolve(false);
    return new Promise((resolve) => {
      const stream = this.#session.request({ ':path': '/', ':authority': 'web' });
      let status = 0;
      stream.on('response', (head) => (status = Number(head[':status'])));
      stream.on('error', () => undefined);
      stream.on('close', () => resolve(status === 200));
      stream.resume().end();
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.#isOpen) {
      const isGood = await this.get();
      this.requests++;
      if (!isGood) this.failed++;
    }
  }

  close(): void {
    this.#session.destroy();
  }
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seconds: { type: 'string', default: '5' },
      connections: { type: 'string', default: '8' },
    },
  });
  const count = Number(values.connections);
  const clients = Array.from({ length: count }, () => new Client(Number(positionals[0])));
  const patience = new Promise<boolean>((resolve) => {
    setTimeout(() => resolve(false), firstMs).unref();
  });
  const first = await Promise.all(clients.map((client) => Promise.race([client.get(), patience])));
  const carried = first.every(Boolean);
  const startedMs = performance.now();
  if (carried) {
    const ending = AbortSignal.timeout(Number(values.seconds) * 1000);
    const streams = clients.flatMap((client) =>
      Array.from({ length: streamsPerConnection }, () => client.run(ending)),
    );
    await Promise.race([
      Promise.all(streams),
      new Promise((resolve) => ending.addEventListener('abort', resolve)),
    ]);
  }
  const seconds = (performance.now() - startedMs) / 1000;
  for (const client of clients) client.close();
  const sum = (figure: 'requests' | 'failed'): number =>
    clients.reduce((all, client) => all + client[figure], 0);
  const requests = sum('requests');
  console.log(JSON.stringify({ carried, requests, bytes: 0, seconds, failed: sum('failed') }));
}

await main();
