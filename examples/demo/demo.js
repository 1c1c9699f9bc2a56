// The demonstration: orders call payments while one payments instance is killed and another is restarted.
//
//   npm run demo
import { mkdtempSync, rmSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startInstance } from './instance.js';

const directory = mkdtempSync(join(tmpdir(), 'outrigger-demo-'));
const script = (name) => fileURLToPath(new URL(`${name}.js`, import.meta.url));
const startedAtMs = performance.now();
const instances = new Set();
const servedBy = new Map();
const pids = new Map();
const totals = { requests: 0, failures: 0 };

function say(text) {
  const seconds = ((performance.now() - startedAtMs) / 1000).toFixed(1).padStart(5);
  console.log(`${seconds}s  ${text}`);
}

async function start(service, label) {
  const instance = await startInstance({ service, label, script: script(service), directory });
  instances.add(instance);
  say(`${label} is registered: port ${instance.port}, its agent at ${instance.admin}`);
  return instance;
}

function fetchJson(url) {
  return new Promise((resolve, reject) => {
    get(url, { agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode, body: text }));
      response.on('error', reject);
    }).on('error', reject);
  });
}

async function order(orders, number) {
  totals.requests++;
  try {
    const { status, body } = await fetchJson(`http://127.0.0.1:${orders.port}/?number=${number}`);
    if (status !== 200) throw new Error(`${status} ${body.slice(0, 300)}`);
    const reply = JSON.parse(body);
    servedBy.set(reply.servedBy, (servedBy.get(reply.servedBy) ?? 0) + 1);
    pids.set(reply.servedBy, reply.pid);
  } catch (error) {
    totals.failures++;
    say(`FAILED: order ${number}: ${error.message}`);
  }
}

/** About a hundred orders a second until the signal aborts; resolves when all are answered. */
async function sendOrders(orders, signal) {
  const pending = new Set();
  for (let number = 1; !signal.aborted; number++) {
    const one = order(orders, number).finally(() => pending.delete(one));
    pending.add(one);
    await sleep(10);
  }
  await Promise.all(pending);
}

async function untilServing(label) {
  for (let tries = 0; tries < 1000 && !servedBy.has(label); tries++) await sleep(10);
  if (!servedBy.has(label)) throw new Error(`${label} got no order`);
  say(`${label} gets orders`);
}

/** As when its host loses power: neither the app nor its agent can say goodbye. */
async function kill(instance) {
  process.kill(pids.get(instance.label), 'SIGKILL');
  instance.agent.kill('SIGKILL');
  await instance.exited;
  instances.delete(instance);
  say(`${instance.label} and its agent were killed with SIGKILL`);
}

async function stop(instance) {
  instance.agent.kill('SIGTERM');
  await instance.exited;
  instances.delete(instance);
}

async function retriesOf(orders) {
  const { body } = await fetchJson(`${orders.admin}/v1/services/payments`);
  return JSON.parse(body).use.traffic.retries;
}

function table(retries) {
  const rows = [
    ['orders sent', totals.requests],
    ['orders failed', totals.failures],
    ['retries (made by the agent, unseen by the app)', retries],
    ...[...servedBy].sort().map(([label, count]) => [`served by ${label}`, count]),
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  console.log();
  for (const [name, value] of rows)
    console.log(`  ${name.padEnd(width)}  ${String(value).padStart(6)}`);
  console.log();
}

async function main() {
  const payments = await Promise.all(
    ['payments-1', 'payments-2', 'payments-3'].map((label) => start('payments', label)),
  );
  const orders = await start('orders', 'orders');
  const sending = new AbortController();
  const sent = sendOrders(orders, sending.signal);
  for (const { label } of payments) await untilServing(label);
  await sleep(1500);

  const [first, second] = payments;
  await kill(first);
  await sleep(1500);

  say('payments-2 is being restarted: SIGTERM to its agent');
  await stop(second);
  say('payments-2 has drained and ended');
  await start('payments', 'payments-2b');
  await untilServing('payments-2b');
  await sleep(1500);

  sending.abort();
  await sent;
  table(await retriesOf(orders));
  await stop(orders);
}

async function cleanUp() {
  await Promise.all([...instances].map(stop));
  rmSync(directory, { recursive: true, force: true });
}

process.once('SIGINT', () => {
  say('stopping');
  cleanUp().finally(() => process.exit(130));
});

try {
  await main();
} finally {
  await cleanUp();
}
process.exitCode = totals.failures === 0 ? 0 : 1;
