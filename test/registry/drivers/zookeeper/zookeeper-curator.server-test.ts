// A real Curator client and ours in one fleet: each sees what the other registers.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { systemClock } from '../../../../src/core/clock.ts';
import { silentLogger } from '../../../../src/core/logger.ts';
import { systemRandom } from '../../../../src/core/random.ts';
import { openDriver } from '../../../../src/registry/open.ts';
import { instanceOf, service } from '../../../contract/world.ts';
import { requireCurator, startCuratorPeer } from '../../../servers/curator.ts';
import { requireZooKeeper, startZooKeeper } from '../../../servers/zookeeper.ts';
import { eventually } from '../../../support/eventually.ts';

const reason = requireZooKeeper() ?? requireCurator();
const java = { deadlineMs: 60_000 };

describe('a Curator fleet', { skip: reason ?? false }, () => {
  it('sees our instances, and we see its', async () => {
    const server = await startZooKeeper();
    const address = `127.0.0.1:${server.port}`;
    const deps = { clock: systemClock, random: systemRandom, logger: silentLogger };
    const driver = await openDriver(`zk://${address}/fleet`, deps);
    const peer = startCuratorPeer(address, { base: '/fleet', service });
    const signal = AbortSignal.timeout(120_000);
    try {
      await driver.acquire(instanceOf(1, { meta: { team: 'a' } }), 10_000, signal);
      const theirs = 'java-1 127.0.0.1 9999 http://127.0.0.1:9999';
      const ours = 'payments-1 127.0.0.1 10001 http://127.0.0.1:10001';
      await eventually(
        'the peer sees both',
        () => {
          const text = peer.instances().join(';');
          if (text === `${theirs};${ours}`) return true;
          throw new Error(`${text}\n${peer.errors()}`);
        },
        java,
      );
      const { instances } = await driver.read(service, signal);
      const found = instances.find(({ id }) => id === 'java-1');
      assert.equal(found?.port, 9999);
      assert.deepEqual(found.meta, { zone: 'java' });
      assert.equal(found.zone, 'java');

      await driver.acquire(instanceOf(1, { port: 10_002 }), 10_000, signal);
      await eventually('the peer sees a change', () => peer.instances()[1]?.includes(' 10002 '));
      await driver.release(instanceOf(1), signal);
      await eventually('the peer sees it go', () => peer.instances().join() === theirs);
      await peer.stop();
      assert.deepEqual((await driver.read(service, signal)).instances, []);
      assert.doesNotMatch(peer.errors(), /Exception/);
    } finally {
      await peer.stop();
      await driver.close();
      await server.stop();
    }
  });
});
