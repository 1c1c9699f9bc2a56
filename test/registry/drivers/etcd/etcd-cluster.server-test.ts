// The etcd driver on a cluster of three whose leader is killed while agents hold leases and watch.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Registry } from '../../../../src/registry/registry.ts';
import { requireEtcd, startEtcdCluster, type EtcdServer } from '../../../servers/etcd.ts';
import { eventually } from '../../../support/eventually.ts';
import { deps, instance, openDriver, soon } from './fixture.ts';

const reason = requireEtcd();
const timing = { ttlMs: 3000, heartbeatMs: 1000 };

describe('the etcd driver on a cluster', { skip: reason ?? false }, () => {
  it('loses nobody when the leader is killed', async (t) => {
    const servers = await startEtcdCluster(3);
    const agents: Registry[] = [];
    try {
      const leader = await eventually('there is a leader', () => leaderOf(servers));
      // The agents use the leader at first.
      const hosts = [leader, ...servers].map(({ port }) => `127.0.0.1:${port}`).join(',');
      const newAgent = (): Registry => {
        const driver = openDriver(`etcd://${hosts}?ttl=3s&heartbeat=1s`);
        const agent = new Registry({ ...deps, driver });
        agents.push(agent);
        return agent;
      };
      const instances = [1, 2, 3].map((n) => instance(`a-${n}`, { port: 9000 + n }));
      const leases = instances.map((one) => newAgent().lease(one, timing));
      for (const lease of leases) lease.acquire();
      const watcher = newAgent();
      const watching = new AbortController();
      let seen = 0;
      let fewest = Infinity;
      let state = '';
      watcher.watch(
        'payments',
        (snapshot) => {
          seen = snapshot.instances.length;
          state = snapshot.state;
          fewest = Math.min(fewest, seen);
        },
        watching.signal,
      );
      await eventually('all are seen', () => seen === 3 && state === 'live');
      fewest = seen;

      await leader.kill();
      const killedAtMs = performance.now();
      const survivors = servers.filter((server) => server !== leader);
      await eventually('there is another leader', () => leaderOf(survivors));
      const electedMs = performance.now() - killedAtMs;
      await eventually(
        'every lease has been renewed since, or acquired again',
        () =>
          leases.every(
            ({ state: lease }) => lease.kind === 'active' && lease.renewedAtMs > killedAtMs,
          ) && state === 'live',
      );
      const healedMs = performance.now() - killedAtMs;
      t.diagnostic(`new leader seen after ${electedMs} ms, all renewed after ${healedMs} ms`);
      assert.ok(healedMs <= electedMs + 2000, `${healedMs} ms, and ${electedMs} ms without leader`);

      // Changes come through, and nobody is missed when leases could end.
      leases[0]?.update(instance('a-1', { port: 9001, weight: 5 }));
      await eventually('a change is seen', () =>
        watcher
          .views()
          .some(({ snapshot }) => snapshot.instances.some(({ weight }) => weight === 5)),
      );
      await new Promise((resolve) => setTimeout(resolve, timing.ttlMs + 1000));
      assert.equal(fewest, 3);
      watching.abort();
    } finally {
      for (const agent of agents) await agent.close();
      for (const server of servers) await server.stop();
    }
  });

  it('leaves a member that has no leader any more', async () => {
    const servers = await startEtcdCluster(3);
    const [first, second, third] = servers;
    assert.ok(first !== undefined && second !== undefined && third !== undefined);
    const driver = openDriver(`etcd://127.0.0.1:${first.port}`);
    try {
      await driver.acquire(instance('a'), 5000, soon());
      await second.kill();
      await third.kill();
      await eventually('it says so', async () => {
        await assert.rejects(driver.acquire(instance('a'), 5000, soon()), {
          code: 'registry_unavailable',
        });
        return true;
      });
      await second.start();
      await eventually('it works again', async () => {
        await driver.acquire(instance('a'), 5000, soon());
        return true;
      });
    } finally {
      await driver.close();
      for (const server of servers) await server.stop();
    }
  });
});

/** The one that is the leader now, as the members see it. */
async function leaderOf(servers: readonly EtcdServer[]): Promise<EtcdServer | undefined> {
  for (const server of servers) {
    const text = await server.etcdctl('endpoint', 'status', '--write-out=json');
    const status = JSON.parse(text, (key, value: unknown) =>
      key === 'leader' || key === 'member_id' ? String(value) : value,
    ) as readonly { Status: { header: { member_id: string }; leader: string } }[];
    const [member] = status;
    if (member !== undefined && member.Status.leader === member.Status.header.member_id)
      return server;
  }
  return undefined;
}
