// Load at a constant rate, whatever the replies do: small GETs to a port, due at fixed times. The latency of each counts from
// when it was due, so that a stall is paid for by all requests that it delays.
//
//   node --import tsx bench/load.ts PORT --rate 1000 --seconds 5 --connections 64
//
// Prints one line of JSON, with the latency of each request. A thread of its own sleeps until each request is due, as timers of Node are good to 1 ms only.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { smallBody } from './proxies/origin.ts';
import { quantile } from './proxies/statistics.ts';

/** Before what is measured, at the same rate: connections are made, code is compiled. */
const warmUpMs = 500;
const stragglersMs = 2000;
const requestText = 'GET / HTTP/1.1\r\nHost: web\r\n\r\n';

const pacerScript = `
const { parentPort, workerData } = require('node:worker_threads');
const cell = new Int32Array(new SharedArrayBuffer(4));
const startMs = performance.timeOrigin + performance.now();
for (let n = 0; n < workerData.count; n++) {
  const dueMs = startMs + n * workerData.everyMs;
  const waitMs = dueMs - performance.timeOrigin - performance.now();
  if (waitMs > 0) Atomics.wait(cell, 0, 0, waitMs);
  parentPort.postMessage(dueMs);
}`;

class Client {
  readonly #idle: Socket[] = [];
  readonly #dueMs: number[] = [];
  readonly #pending = new Map<Socket, number>();
  readonly latenciesMs: number[] = [];
  /** How much later than due each was sent, as far as that is not for want of an idle connection. */
  readonly latenessMs: number[] = [];
  failed = 0;
  #recordFromMs = Infinity;

  constructor(port: number, connections: number) {
    for (let n = 0; n < connections; n++) this.#open(port);
  }

  recordFrom(dueMs: number): void {
    this.#recordFromMs = dueMs;
  }

  send(dueMs: number): void {
    if (dueMs >= this.#recordFromMs) this.latenessMs.push(nowMs() - dueMs);
    this.#dueMs.push(dueMs);
    this.#sendNext();
  }

  close(): void {
    for (const dueMs of [...this.#pending.values(), ...this.#dueMs]) this.#fail(dueMs);
    for (const socket of [...this.#pending.keys(), ...this.#idle]) socket.destroy();
  }

  #open(port: number): void {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    let text = '';
    socket.on('connect', () => this.#rest(socket));
    socket.on('data', (bytes: Buffer) => {
      text += bytes.toString('latin1');
      if (!text.endsWith(smallBody) && !text.endsWith('\r\n0\r\n\r\n')) return;
      this.#replied(socket, text.startsWith('HTTP/1.1 200 '));
      text = '';
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      const dueMs = this.#pending.get(socket);
      this.#pending.delete(socket);
      if (dueMs !== undefined) this.#fail(dueMs);
    });
  }

  #replied(socket: Socket, isGood: boolean): void {
    const dueMs = this.#pending.get(socket) ?? NaN;
    this.#pending.delete(socket);
    if (!isGood) this.#fail(dueMs);
    else if (dueMs >= this.#recordFromMs) this.latenciesMs.push(nowMs() - dueMs);
    this.#rest(socket);
  }

  #rest(socket: Socket): void {
    this.#idle.push(socket);
    this.#sendNext();
  }

  #sendNext(): void {
    if (this.#dueMs.length === 0) return;
    const socket = this.#idle.shift();
    if (socket === undefined) return;
    this.#pending.set(socket, this.#dueMs.shift() ?? NaN);
    socket.write(requestText);
  }

  #fail(dueMs: number): void {
    if (dueMs >= this.#recordFromMs) this.failed++;
  }
}

function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rate: { type: 'string', default: '1000' },
      seconds: { type: 'string', default: '5' },
      connections: { type: 'string', default: '64' },
    },
  });
  const everyMs = 1000 / Number(values.rate);
  const recordMs = Number(values.seconds) * 1000;
  const count = Math.ceil((warmUpMs + recordMs) / everyMs);
  const client = new Client(Number(positionals[0]), Number(values.connections));
  const pacer = new Worker(pacerScript, { eval: true, workerData: { count, everyMs } });
  let firstMs: number | undefined;
  pacer.on('message', (dueMs: number) => {
    firstMs ??= dueMs;
    client.recordFrom(firstMs + warmUpMs);
    client.send(dueMs);
  });
  await once(pacer, 'exit');
  const expected = Math.floor(recordMs / everyMs);
  const deadlineMs = nowMs() + stragglersMs;
  while (client.latenciesMs.length + client.failed < expected && nowMs() < deadlineMs) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  client.close();
  const { failed, latenciesMs, latenessMs } = client;
  const lateP99Ms = quantile(latenessMs, 0.99);
  // All requests, those of the warm-up too: what the proxy worked for.
  const loaded = { requests: count, bytes: 0, seconds: (count * everyMs) / 1000, failed };
  const toMicroseconds = latenciesMs.map((ms) => Math.round(ms * 1000) / 1000);
  console.log(JSON.stringify({ ...loaded, lateP99Ms, latenciesMs: toMicroseconds }));
}

await main();
