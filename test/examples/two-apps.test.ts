// The example of two apps on one host, run for real on free ports: it answers, and leaves nothing behind.
import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { pathOf } from './support.ts';

interface Example {
  readonly process: ChildProcess;
  /** All that it has written so far. */
  readonly output: () => string;
  readonly ports: Readonly<Record<PortName, string>>;
}

interface Order {
  readonly order: number;
  readonly pid: number;
  readonly payment: { readonly charged: number; readonly pid: number };
}

const portNames = [
  'PAYMENTS_PORT',
  'PAYMENTS_PROXY_PORT',
  'PAYMENTS_ADMIN_PORT',
  'ORDERS_PORT',
  'ORDERS_PROXY_PORT',
  'ORDERS_ADMIN_PORT',
] as const;
type PortName = (typeof portNames)[number];

/** The reason why the example cannot run here, if there is one; under CI=true that is an error. */
function missing(): string | undefined {
  const reason = ['bash', 'python3'].find((one) => spawnSync(one, ['--version']).status !== 0);
  if (reason === undefined) return undefined;
  if (process.env['CI'] === 'true') throw new Error(`${reason} is not installed`);
  return `${reason} is not installed`;
}

async function freePorts(): Promise<Readonly<Record<PortName, string>>> {
  const ports = new Set<number>();
  while (ports.size < portNames.length) ports.add(await freePort());
  const texts = [...ports].map(String);
  return Object.fromEntries(portNames.map((name, index) => [name, texts[index] ?? ''])) as Readonly<
    Record<PortName, string>
  >;
}

async function start(t: TestContext): Promise<Example> {
  assert.ok(existsSync(pathOf('dist/cli/main.js')), 'build the agent first: npm run build');
  const directory = await mkdtemp(join(tmpdir(), 'outrigger-two-apps-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const ports = await freePorts();
  const child = spawn('bash', [pathOf('examples/two-apps/start.sh')], {
    env: {
      ...process.env,
      ...ports,
      OUTRIGGER_REGISTRY: `file://${directory}/registry`,
      OUTRIGGER_STATE_DIR: 'none',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  t.after(async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    // What it should have ended would hold these open.
    child.stdout.destroy();
    child.stderr.destroy();
  });
  return { process: child, output: () => output, ports };
}

async function untilRunning({ process: child, output }: Example): Promise<void> {
  await eventually(
    'the example runs',
    () => {
      assert.equal(child.exitCode, null, output());
      return output().includes('Ctrl-C ends everything');
    },
    { deadlineMs: 40_000, everyMs: 50 },
  ).catch((error: unknown) => assert.fail(`${String(error)}\n${output()}`));
}

async function getJson(url: string): Promise<unknown> {
  const reply = await fetch(url);
  assert.equal(reply.status, 200, url);
  return reply.json();
}

async function agentPid(adminPort: string): Promise<number> {
  const status = await getJson(`http://127.0.0.1:${adminPort}/v1/status`);
  return (status as { readonly agent: { readonly pid: number } }).agent.pid;
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe('examples/two-apps', { skip: missing() ?? false, timeout: 120_000 }, () => {
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    it(`answers a call and ends all of it with ${signal}`, async (t) => {
      const example = await start(t);
      await untilRunning(example);
      const { ports } = example;
      assert.match(example.output(), /\{"order":1,"payment":\{"charged":1999,/, example.output());

      const url = `http://127.0.0.1:${ports.ORDERS_PORT}/order?number=7`;
      const order = (await getJson(url)) as Order;
      assert.deepEqual([order.order, order.payment.charged], [7, 1999]);
      const pids = [
        order.pid,
        order.payment.pid,
        await agentPid(ports.ORDERS_ADMIN_PORT),
        await agentPid(ports.PAYMENTS_ADMIN_PORT),
      ];
      assert.equal(new Set(pids.filter(isRunning)).size, 4);
      t.after(() => pids.filter(isRunning).forEach((pid) => process.kill(pid, 'SIGKILL')));

      const exited = once(example.process, 'exit');
      example.process.kill(signal);
      assert.deepEqual(await exited, [code, null], example.output());
      assert.deepEqual(pids.filter(isRunning), []);
    });
  }

  it('ends when it is stopped before anything runs', async (t) => {
    const example = await start(t);
    const exited = once(example.process, 'exit');
    await eventually('the first agent listens', () => example.output().includes('ready '));
    example.process.kill('SIGTERM');
    assert.deepEqual(await exited, [143, null], example.output());
    for (const port of [example.ports.PAYMENTS_ADMIN_PORT, example.ports.ORDERS_ADMIN_PORT]) {
      await assert.rejects(fetch(`http://127.0.0.1:${port}/livez`));
    }
  });
});
