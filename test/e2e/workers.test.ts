// An agent with several workers: one port and one admin API, whatever happens to the processes behind them.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent } from 'node:http';
import { connect, createServer } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import type { StatusDocument } from '../../src/admin/documents.ts';
import type { Explanation, WorkersStatus, WorkerStatus } from '../../src/admin/view.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { untilEnded } from '../support/processes.ts';
import { Fleet, type RunningAgent } from './agent-process.ts';
import { Load, requestJson, type Answer } from './http-client.ts';

async function statusOf({ adminPort }: RunningAgent): Promise<StatusDocument> {
  return (await requestJson({ port: adminPort, path: '/v1/status' })).body as StatusDocument;
}

async function workersOf(agent: RunningAgent): Promise<WorkersStatus> {
  const { workers } = await statusOf(agent);
  assert.ok(workers !== null, 'there are workers');
  return workers;
}

async function servingOf(agent: RunningAgent): Promise<readonly WorkerStatus[]> {
  return (await workersOf(agent)).processes.filter(({ state }) => state === 'serving');
}

async function metric(agent: RunningAgent, series: string): Promise<number> {
  const { body } = await requestJson({ port: agent.adminPort, path: '/metrics' });
  const line = String(body)
    .split('\n')
    .find((text) => text.startsWith(`outrigger_${series} `));
  return Number(line?.slice(line.lastIndexOf(' ')));
}

/** An app that is registered by an agent of its own, and an agent with workers that calls it. */
async function startPair(
  t: TestContext,
  options: { readonly flags?: readonly string[]; readonly command?: readonly string[] } = {},
): Promise<{ fleet: Fleet; agent: RunningAgent; payments: RunningAgent }> {
  const fleet = new Fleet(t);
  const registry = fleet.fileRegistry;
  const flags = ['--workers', '2', ...(options.flags ?? [])];
  const [payments, agent] = await Promise.all([
    fleet.startRegistered({ service: 'payments', name: 'first', registry }),
    fleet.start({ registry, flags }),
  ]);
  return { fleet, agent, payments };
}

/** A service whose calls are answered when the test says so. */
async function startSlow(t: TestContext): Promise<{ port: number; answerAll: () => void }> {
  const waiting = new Set<() => void>();
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => {
      waiting.add(() => {
        socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok');
      });
    });
  }).listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  const { port } = server.address() as { readonly port: number };
  const answerAll = (): void => {
    for (const answer of waiting) answer();
  };
  return { port, answerAll };
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}

describe('an agent with workers', () => {
  it('serves on one port, and adds up what each has counted', async (t) => {
    const tcpPort = await freePort();
    const path = `/tmp/outrigger-workers-${process.pid}.sock`;
    const { agent } = await startPair(t, {
      flags: ['--upstream', `payments=${path}`, '--upstream', `tcp:payments=${tcpPort}`],
    });
    assert.equal(agent.output().match(/^ready /gm)?.length, 1);
    const calls = [
      ...Array.from({ length: 20 }, () => ({ port: agent.proxyPort, path: '/payments/a' })),
      ...Array.from({ length: 4 }, () => ({ socketPath: path, path: '/b' })),
    ];
    for (const call of calls) assert.equal((await requestJson(call)).status, 200);
    const { processes } = await workersOf(agent);
    const requests = processes.map((worker) => worker.requests);
    assert.deepEqual([requests.length, sumOf(requests)], [2, 24]);
    assert.deepEqual(
      requests.filter((count) => count === 0),
      [],
      'both serve',
    );
    assert.equal(
      await metric(agent, 'requests_total{service="payments",code="200",reason=""}'),
      24,
    );
    assert.equal(await metric(agent, 'request_duration_seconds_count{service="payments"}'), 24);
    assert.equal(await metric(agent, 'workers{state="serving"}'), 2);
    // A tunnel counts as a call too, so these come last.
    for (let call = 0; call < 2; call++) {
      assert.equal((await requestJson({ port: tcpPort, path: '/c' })).status, 200);
    }
  });

  it('tells every worker of instances that come and go', async (t) => {
    const { fleet, agent } = await startPair(t);
    const known = async (): Promise<number[]> => {
      const counts: number[] = [];
      for (let turn = 0; turn < 2; turn++) {
        const { body } = await requestJson({ port: agent.adminPort, path: '/v1/explain/payments' });
        counts.push((body as Explanation).instances.length);
      }
      return counts;
    };
    assert.deepEqual(await known(), [1, 1]);
    const second = await fleet.startRegistered({
      service: 'payments',
      name: 'second',
      registry: fleet.fileRegistry,
    });
    await eventually('both know two', async () => (await known()).every((count) => count === 2));
    second.process.kill('SIGTERM');
    await eventually('both know one', async () => (await known()).every((count) => count === 1));
    assert.equal(await second.exited, 0);
  });

  it('replaces a killed worker while the others go on', async (t) => {
    const { agent } = await startPair(t);
    const [killed, spared] = await servingOf(agent);
    assert.ok(killed !== undefined && spared !== undefined, 'both serve');
    const clients = Array.from({ length: 8 }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
    t.after(() => {
      for (const client of clients) client.destroy();
    });
    const callAll = async (): Promise<number> => {
      const calls = clients.map((client) =>
        requestJson({ port: agent.proxyPort, path: '/payments/', agent: client }),
      );
      const settled = await Promise.allSettled(calls);
      return settled.filter((one) => one.status === 'fulfilled').length;
    };
    assert.equal(await callAll(), 8);
    const load = new Load(t, 200, () => ({ port: agent.proxyPort, path: '/payments/' }));
    await eventually('the load runs', () => load.served.get('first') !== undefined);
    const before = (await workersOf(agent)).processes.map(({ connections }) => connections);
    process.kill(killed.pid, 'SIGKILL');
    await eventually('another one serves', async () => {
      const pids = (await servingOf(agent)).map(({ pid }) => pid);
      return pids.length === 2 && pids.includes(spared.pid) && !pids.includes(killed.pid);
    });
    // Those of the killed worker are new connections by now, and none of the other's was touched.
    const broken = load.failures.length;
    assert.ok(broken <= sumOf(before) + 1, `${broken} broke of ${String(before)}`);
    for (const failure of load.failures) assert.match(failure, /ECONNRESET|socket hang up/);
    const sent = load.sent;
    await eventually('the load goes on', () => load.sent > sent + 100);
    await load.stop();
    assert.deepEqual(load.failures.slice(broken), [], 'nothing fails after the replacement');
    const single = { port: agent.proxyPort, path: '/payments/' };
    for (let call = 0; call < 4; call++) assert.equal((await requestJson(single)).status, 200);
    const { lost, processes } = await workersOf(agent);
    assert.equal(lost, 1);
    const unused = processes.filter(({ requests }) => requests === 0);
    assert.deepEqual(unused, [], 'the new one serves as well');
    assert.match(agent.output(), /"msg":"a worker has ended and is replaced"/);
  });

  it('breaks only the connections of the worker that dies', async (t) => {
    const { agent } = await startPair(t);
    const [killed] = await servingOf(agent);
    assert.ok(killed !== undefined, 'both serve');
    const sockets = Array.from({ length: 6 }, () => connect(agent.proxyPort, '127.0.0.1'));
    t.after(() => {
      for (const socket of sockets) socket.destroy();
    });
    let closed = 0;
    for (const socket of sockets) {
      socket.on('error', () => undefined);
      socket.once('close', () => closed++);
    }
    const answered = (): Promise<unknown> =>
      Promise.all(
        sockets
          .filter((socket) => !socket.destroyed)
          .map(async (socket) => {
            socket.write('GET /payments/ HTTP/1.1\r\nHost: localhost\r\n\r\n');
            const [reply] = (await once(socket, 'data')) as [Buffer];
            assert.match(reply.toString(), /^HTTP\/1\.1 200 /);
          }),
      );
    await answered();
    const held = (await servingOf(agent)).map(({ connections }) => connections);
    assert.equal(sumOf(held), 6);
    const [lost = 0] = held;
    process.kill(killed.pid, 'SIGKILL');
    await eventually('its connections are closed', () => closed === lost);
    await answered();
    assert.deepEqual([closed, lost > 0 && lost < 6], [lost, true]);
  });

  it('closes a connection that was handed to a worker which dies before it takes it', async (t) => {
    const { agent } = await startPair(t);
    const [stuck] = await servingOf(agent);
    assert.ok(stuck !== undefined, 'both serve');
    process.kill(stuck.pid, 'SIGSTOP');
    const ends = { answered: 0, closed: 0 };
    for (let index = 0; index < 4; index++) {
      const socket = connect(agent.proxyPort, '127.0.0.1');
      t.after(() => socket.destroy());
      socket.on('error', () => undefined);
      socket.once('close', () => ends.closed++);
      socket.once('data', () => ends.answered++);
      socket.write('GET /payments/ HTTP/1.1\r\nHost: localhost\r\n\r\n');
    }
    await eventually('the other worker takes the rest', () => ends.answered === 3);
    process.kill(stuck.pid, 'SIGKILL');
    await eventually('the client is told', () => ends.closed === 1);
  });

  it('lets what is in flight end when it is stopped, also by a Ctrl-C that reaches all', async (t) => {
    const slow = await startSlow(t);
    const fleet = new Fleet(t);
    for (const how of ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const) {
      const agent = await fleet.start({
        registry: `static:slow=127.0.0.1:${slow.port}`,
        flags: ['--workers', '2'],
      });
      const pids = (await servingOf(agent)).map(({ pid }) => pid);
      const calls: Promise<Answer>[] = [];
      // A worker that is slow to take connections leaves them to the other one.
      await eventually('all are in flight, and each worker has one', async () => {
        const inFlight = (await servingOf(agent)).map((worker) => worker.inFlight);
        if (sumOf(inFlight) < calls.length) return false;
        if (calls.length > 0 && inFlight.every((count) => count > 0)) return true;
        calls.push(requestJson({ port: agent.proxyPort, path: '/slow/' }));
        return false;
      });
      const { pid = 0 } = agent.process;
      process.kill(-pid, 'SIGUSR1');
      process.kill(how === 'SIGTERM' ? pid : -pid, how);
      await eventually('it takes no new connection', async () => {
        const socket = connect(agent.proxyPort, '127.0.0.1');
        const refused = await once(socket, 'connect').then(
          () => false,
          () => true,
        );
        socket.destroy();
        return refused;
      });
      slow.answerAll();
      for (const { status } of await Promise.all(calls)) assert.equal(status, 200, how);
      assert.equal(await agent.exited, 0, how);
      assert.doesNotMatch(agent.output(), /Debugger/);
      for (const worker of pids) await untilEnded(worker);
      assert.ok(!agent.output().includes('a worker has ended'), agent.output());
    }
  });

  it('tells its status while its workers start, and ends with 0 when it is stopped then', async (t) => {
    const fleet = new Fleet(t);
    const adminPort = await freePort();
    const ended = fleet.startFailing({
      registry: fleet.fileRegistry,
      flags: ['--workers', '2', '--admin', `127.0.0.1:${adminPort}`],
    });
    const status = await eventually('it answers', () =>
      requestJson({ port: adminPort, path: '/v1/status' }).catch(() => undefined),
    );
    assert.equal(status.status, 200);
    assert.equal((status.body as { agent: { proxyUrl: unknown } }).agent.proxyUrl, null);
    await eventually('it drains', async () => {
      const path = '/v1/drain';
      return (await requestJson({ port: adminPort, method: 'POST', path })).status === 202;
    });
    const { code, output } = await ended;
    assert.equal(code, 0, output);
  });

  it('leaves no process behind when its control process is killed', async (t) => {
    const fleet = new Fleet(t);
    const agent = await fleet.start({ registry: fleet.fileRegistry, flags: ['--workers', '2'] });
    const pids = (await servingOf(agent)).map(({ pid }) => pid);
    assert.equal(pids.length, 2);
    agent.process.kill('SIGKILL');
    for (const pid of pids) await untilEnded(pid);
  });

  it('says in one line that it cannot listen, and ends with 2', async (t) => {
    const fleet = new Fleet(t);
    const blocker = createServer().listen(0, '127.0.0.1');
    t.after(() => blocker.close());
    await once(blocker, 'listening');
    const { port } = blocker.address() as { readonly port: number };
    const flags = ['--workers', '2', '--listen', `127.0.0.1:${port}`];
    const { code, output } = await fleet.startFailing({ registry: fleet.fileRegistry, flags });
    assert.equal(code, 2, output);
    assert.match(
      output,
      /^outrigger: --listen 127\.0\.0\.1:\d+: another process listens there[^\n]*\n$/,
    );
  });
});
