// What happens to calls when instances die, restart, or are stopped.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { Fleet, type RunningAgent } from './agent-process.ts';
import { Load, requestJson } from './http-client.ts';
import { registries } from './registries.ts';

for (const backend of registries) {
  const { name, skip } = backend;
  describe(`failures with ${name}`, { skip }, () => {
    it('kill -9 of an instance under 200 requests a second: none fails', async (t) => {
      const fleet = new Fleet(t);
      const registry = await backend.open(t, fleet);
      const [victim, , orders] = await Promise.all([
        fleet.startRegistered({ service: 'payments', name: 'payments-1', registry }),
        fleet.startRegistered({ service: 'payments', name: 'payments-2', registry }),
        fleet.startRegistered({ service: 'orders', registry }),
      ]);
      const load = new Load(t, 200, () => ({ port: orders.proxyPort, path: '/payments/' }));
      await untilServed(load, ['payments-1', 'payments-2']);
      process.kill(await victim.appPid(), 'SIGKILL');
      victim.process.kill('SIGKILL');
      const sentBefore = load.sent;
      await eventually('a second of load has passed', () => load.sent > sentBefore + 400);
      await load.stop();
      assert.deepEqual(load.failures, []);
    });

    it('a rolling restart under mixed load: none fails and no POST is served twice', async (t) => {
      const fleet = new Fleet(t);
      const registry = await backend.open(t, fleet);
      const names = ['payments-1', 'payments-2', 'payments-3'];
      const start = (name: string): Promise<RunningAgent> =>
        fleet.startRegistered({ service: 'payments', name, registry });
      const [orders, ...payments] = await Promise.all([
        fleet.startRegistered({ service: 'orders', registry }),
        ...names.map(start),
      ]);
      const load = new Load(t, 200, (number) => ({
        port: orders.proxyPort,
        path: '/payments/charge',
        ...(number % 2 === 0 && { method: 'POST', body: `charge ${number}` }),
      }));
      await untilServed(load, names);
      for (const [index, agent] of payments.entries()) {
        agent.process.kill('SIGTERM');
        assert.equal(await agent.exited, 0, agent.output());
        const successor = `payments-${index + 4}`;
        names.push(successor);
        await start(successor);
        await untilServed(load, [successor]);
      }
      await load.stop();
      assert.deepEqual(load.failures, []);
      const posts = names
        .flatMap((app) => fleet.ledger(app))
        .filter((line) => line.startsWith('POST'));
      assert.equal(posts.length, Math.ceil(load.sent / 2));
      assert.equal(new Set(posts).size, posts.length, 'a POST was served twice');
    });

    it('a thousand idle clients and few file descriptors: no heartbeat is missed', async (t) => {
      const fleet = new Fleet(t);
      const registry = await backend.open(t, fleet);
      const flags = ['--ttl', '3s', '--heartbeat', '200ms'];
      const agent = await fleet.startRegistered({
        service: 'payments',
        registry,
        flags,
        openFilesMax: 256,
      });
      const clients = Array.from({ length: 1000 }, () => connect(agent.proxyPort, '127.0.0.1'));
      t.after(() => clients.forEach((client) => client.destroy()));
      for (const client of clients) client.on('error', () => undefined);
      const beats = async (): Promise<{ ok: number; failed: number }> => {
        const { body } = await requestJson({ port: agent.adminPort, path: '/metrics' });
        const count = (result: string): number => {
          const line = new RegExp(
            `^outrigger_heartbeats_total\\{.*result="${result}".*\\} (\\d+)$`,
            'm',
          );
          return Number(line.exec(String(body))?.[1]);
        };
        return { ok: count('ok'), failed: count('failed') };
      };
      const before = await beats();
      await eventually('ten more heartbeats', async () => (await beats()).ok >= before.ok + 10);
      assert.equal((await beats()).failed, 0);
    });

    it('an agent that was stopped for longer than its TTL is registered again', async (t) => {
      const fleet = new Fleet(t);
      const registry = await backend.open(t, fleet);
      const flags = ['--ttl', '1s', '--heartbeat', '300ms'];
      const [payments, orders] = await Promise.all([
        fleet.startRegistered({ service: 'payments', registry, flags }),
        fleet.startRegistered({ service: 'orders', registry }),
      ]);
      const known = async (): Promise<number> => {
        const path = '/v1/services/payments';
        const { body } = await requestJson({ port: orders.adminPort, path });
        return (body as { readonly instances?: readonly unknown[] }).instances?.length ?? 0;
      };
      assert.equal(await known(), 1);
      payments.process.kill('SIGSTOP');
      await eventually('the lease ends', async () => (await known()) === 0);
      payments.process.kill('SIGCONT');
      const deadlineMs = 1000;
      await eventually('it is back', async () => (await known()) === 1, { deadlineMs });
    });
  });
}

function untilServed(load: Load, names: readonly string[]): Promise<boolean> {
  return eventually(`each of ${names.join()} serves`, () =>
    names.every((name) => load.served.has(name)),
  );
}
