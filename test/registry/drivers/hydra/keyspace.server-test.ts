// What the driver writes to a real Redis, what it asks of it, and what it makes of other programs' work there.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { systemClock } from '../../../../src/core/clock.ts';
import { silentLogger } from '../../../../src/core/logger.ts';
import { systemRandom } from '../../../../src/core/random.ts';
import type { Driver } from '../../../../src/registry/driver.ts';
import { openHydra } from '../../../../src/registry/drivers/hydra/driver.ts';
import { hydraIdOf } from '../../../../src/registry/drivers/hydra/keys.ts';
import { requireRedis, startRedis, type RedisServer } from '../../../servers/redis.ts';
import { eventuallyReads, Following, idsOf, instance, never } from '../redis/fixture.ts';

const ttlMs = 3000;
const hydraId = hydraIdOf('payments', 'a1');
const presence = `hydra:service:payments:${hydraId}:presence`;
const health = `hydra:service:payments:${hydraId}:health`;
const nodes = 'hydra:service:nodes';

describe('the keys of a Hydra fleet', { skip: requireRedis() }, () => {
  let redis: RedisServer;
  let drivers: Driver[] = [];

  before(async () => {
    redis = await startRedis();
  });
  afterEach(async () => {
    await Promise.all(drivers.map((driver) => driver.close()));
    drivers = [];
    await redis.command('FLUSHALL');
  });
  after(async () => {
    await redis.stop();
  });

  function open(user = ''): Driver {
    const url = `hydra+redis://${user}127.0.0.1:${redis.port}/0`;
    const driver = openHydra(url, {
      clock: systemClock,
      random: systemRandom,
      logger: silentLogger,
    });
    drivers.push(driver);
    return driver;
  }

  async function keys(): Promise<readonly string[]> {
    return ((await redis.command('KEYS', '*')) as readonly string[]).toSorted();
  }

  it("are Hydra's, with its lease time, and go with a release but for what is shared", async () => {
    const driver = open();
    await driver.acquire(instance('a1'), ttlMs, never);
    const shared = ['hydra:service:payments:service', 'hydra:service:payments:service:routes'];
    assert.deepEqual(await keys(), [nodes, health, presence, ...shared].sort());
    assert.equal(await redis.command('GET', presence), hydraId);
    for (const key of [presence, health]) {
      const restMs = Number(await redis.command('PTTL', key));
      assert.ok(restMs > 0 && restMs <= ttlMs, key);
    }
    await driver.release(instance('a1'), never);
    assert.deepEqual(await keys(), shared);
  });

  it('are renewed, and missed when they are gone', async () => {
    const driver = open();
    assert.equal(await driver.renew(instance('a1'), ttlMs, never), 'gone');
    await driver.acquire(instance('a1'), ttlMs, never);
    await redis.command('PEXPIRE', presence, '500');
    assert.equal(await driver.renew(instance('a1'), ttlMs, never), 'ok');
    assert.ok(Number(await redis.command('PTTL', presence)) > 500);
    await redis.command('DEL', presence);
    assert.equal(await driver.renew(instance('a1'), ttlMs, never), 'gone');
  });

  it('are never searched for', async () => {
    await redis.command('CONFIG', 'RESETSTAT');
    const driver = open();
    await driver.acquire(instance('a1'), ttlMs, never);
    await using following = await Following.start(driver);
    const before = following.confirmations;
    await following.until('a few looks', () => following.confirmations > before + 1);
    assert.deepEqual(await driver.names(never), ['payments']);
    await driver.release(instance('a1'), never);
    const stats = String(await redis.command('INFO', 'commandstats'));
    assert.match(stats, /cmdstat_mget:/);
    assert.doesNotMatch(stats, /cmdstat_(?:scan|keys|randomkey|sort):/);
  });

  it('need no more permissions than the documentation names', async () => {
    const commands = ['+@connection', '+multi', '+exec', '+mget', '+set', '+del'];
    const more = ['+pexpire', '+hset', '+hdel', '+hlen', '+hmget', '+hscan', '+sadd'];
    const channels = ['&hydra:service:*', '+publish', '+subscribe', '+unsubscribe'];
    const scope = ['resetchannels', '~hydra:service:*', '-@all'];
    await redis.command(
      ...['ACL', 'SETUSER', 'app', 'on', '>pw'],
      ...[...scope, ...commands, ...more, ...channels],
    );
    const driver = open('app:pw@');
    await driver.acquire(instance('a1', { meta: { 'hydra.routes': '/v1' } }), ttlMs, never);
    await using following = await Following.start(driver);
    assert.equal(await driver.renew(instance('a1'), ttlMs, never), 'ok');
    assert.deepEqual(await driver.names(never), ['payments']);
    await driver.release(instance('a1'), never);
    await following.untilIds();
  });

  it('may be many of the dead', async () => {
    const script = `for n = 1, 3000 do
      local id = string.format('%032d', n)
      redis.call('HSET', KEYS[1], id, '{"serviceName":"payments","ip":"h","port":1,"instanceID":"' .. id .. '"}')
    end`;
    await redis.command('EVAL', script, '1', nodes);
    const driver = open();
    await driver.acquire(instance('a1'), 20_000, never);
    assert.deepEqual(idsOf(await driver.read('payments', never)), ['a1']);
    assert.deepEqual(await driver.names(never), ['payments']);
  });

  it("may lose a node record to Hydra's tools while the instance lives", async () => {
    const driver = open();
    await driver.acquire(instance('a1'), 20_000, never);
    await using following = await Following.start(driver);
    await redis.command('HDEL', nodes, hydraId);
    const before = following.confirmations;
    await following.until('more looks', () => following.confirmations > before + 1);
    assert.deepEqual(following.readings, []);
    assert.equal(await driver.renew(instance('a1'), 20_000, never), 'ok');
    assert.equal(await redis.command('HEXISTS', nodes, hydraId), 1);
  });

  it('that are all gone at once prove nothing', async () => {
    const driver = open();
    await driver.acquire(instance('a1'), 20_000, never);
    await using following = await Following.start(driver);
    await redis.command('FLUSHDB');
    await following.until('it is noticed', () => following.last !== undefined);
    assert.equal(following.last?.reset, true);
    assert.equal(following.last.departed, undefined);
  });

  it('of a lease that ends are a loss, and of a release a departure', async () => {
    const driver = open();
    await driver.acquire(instance('a1'), 20_000, never);
    await driver.acquire(instance('a2'), 20_000, never);
    await using following = await Following.start(driver);
    await open().release(instance('a1'), never);
    await following.untilIds('a2');
    const { departed } = following.readings.at(-1) ?? {};
    assert.deepEqual(departed, new Set(['a1']));
    const other = hydraIdOf('payments', 'a2');
    await redis.command('DEL', `hydra:service:payments:${other}:presence`);
    await following.untilIds();
    const last = following.readings.at(-1);
    assert.equal(last?.departed?.has('a2'), false);
    assert.notEqual(last.reset, true);
  });

  it('that end because Redis was away are no proof either', async () => {
    const driver = open();
    await driver.acquire(instance('a1'), 20_000, never);
    await redis.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await eventuallyReads(driver, 'payments', ['a1']);
    await using following = await Following.start(driver);
    await redis.command('DEL', presence);
    await following.untilIds();
    assert.equal(following.last?.reset, true);
  });
});
