// Sentinels that are silent or wrong.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { requireRedis, startRedis, type RedisServer } from '../../../servers/redis.ts';
import { eventually } from '../../../support/eventually.ts';
import { FakeSentinel } from './fake-sentinel.ts';
import { eventuallyReads, Following, never, openDriver } from './fixture.ts';

describe('a driver with Sentinels', { skip: requireRedis() }, () => {
  let primary: RedisServer;
  let other: RedisServer;

  before(async () => {
    [primary, other] = await Promise.all([startRedis(), startRedis()]);
    await other.command('REPLICAOF', '127.0.0.1', String(primary.port));
  });
  after(async () => {
    await Promise.all([primary.stop(), other.stop()]);
  });

  it('needs one that answers, and leaves a silent one alone', async () => {
    await using silent = await FakeSentinel.start();
    await using good = await FakeSentinel.start(primary.port);
    const driver = openDriver(`redis+sentinel://127.0.0.1:1,${silent.host},${good.host}/main`);
    assert.deepEqual((await driver.read('payments', never)).instances, []);
    await eventually('nobody waits for it', () => silent.connections.size === 0);
    await driver.close();
  });

  it('does not believe that a replica is the primary, and asks another one next', async () => {
    await using late = await FakeSentinel.start(other.port);
    await using good = await FakeSentinel.start(primary.port);
    const driver = openDriver(`redis+sentinel://${late.host},${good.host}/main`);
    const refused = { code: 'registry_unavailable', message: /is not the primary/ };
    await assert.rejects(driver.read('payments', never), refused);
    await eventuallyReads(driver, 'payments', []);
    await driver.close();
  });

  it('listens to the former primary no longer when there is another one', async () => {
    await using sentinel = await FakeSentinel.start(primary.port);
    const driver = openDriver(`redis+sentinel://${sentinel.host}/main`);
    await using following = await Following.start(driver);
    await other.command('REPLICAOF', 'NO', 'ONE');
    sentinel.names = other.port;
    await primary.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await eventuallyReads(driver, 'payments', []);
    assert.ok((await following.untilEnded()) instanceof Error);
    await driver.close();
  });
});
