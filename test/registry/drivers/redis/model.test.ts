// The scripts against a real server: leases, versions, and what happens to keys that other programs touched.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { Driver } from '../../../../src/registry/driver.ts';
import { parseVersion } from '../../../../src/registry/drivers/redis/service-list.ts';
import { requireRedis, startRedis, type RedisServer } from '../../../servers/redis.ts';
import { Following, idsOf, instance, never, openDriver } from './fixture.ts';

const skip = requireRedis();
const longMs = 10_000;
const keys = {
  instances: 'sd:{payments}:i',
  leases: 'sd:{payments}:x',
  meta: 'sd:{payments}:m',
  left: 'sd:{payments}:l',
};

describe('the Redis registry', { skip }, () => {
  let server: RedisServer;
  let driver: Driver;

  before(async () => {
    server = await startRedis();
    driver = openDriver(server.url);
  });
  beforeEach(async () => {
    await server.command('FLUSHALL');
  });
  after(async () => {
    await driver.close();
    await server.stop();
  });

  const acquire = (id: string, ttlMs = longMs, service = 'payments'): Promise<void> =>
    driver.acquire(instance(id, { service }), ttlMs, new AbortController().signal);
  const ids = async (): Promise<readonly string[]> => idsOf(await driver.read('payments', never));
  const versionNumber = async (): Promise<number> =>
    Number(parseVersion((await driver.read('payments', never)).version).number);
  /** Moves the last touch and all deadlines into the past, as if the server had been away for that long. */
  const ageBy = async (ms: number, ...members: readonly string[]): Promise<void> => {
    await server.command('HINCRBY', keys.meta, 't', String(-ms));
    for (const id of members) await server.command('ZINCRBY', keys.leases, String(-ms), id);
  };

  it('gives back the whole record', async () => {
    const full = instance('a1', {
      host: '2001:db8::1',
      weight: 7,
      tags: ['v2', 'ünï'],
      meta: { key: 'value "quoted"' },
      version: '1.2',
      zone: 'west',
      startedAtMs: 1_700_000_000_000,
    });
    await driver.acquire(full, longMs, never);
    assert.deepEqual((await driver.read('payments', never)).instances, [full]);
  });

  it('changes the version for new content only', async () => {
    await acquire('a1');
    const first = await versionNumber();
    await acquire('a1');
    assert.equal(await driver.renew(instance('a1'), longMs, never), 'ok');
    assert.equal(await versionNumber(), first);
    await driver.acquire(instance('a1', { weight: 2 }), longMs, never);
    assert.ok((await versionNumber()) > first);
  });

  it('answers gone for what it does not have', async () => {
    assert.equal(await driver.renew(instance('a1'), longMs, never), 'gone');
    await acquire('a1');
    assert.equal(await driver.renew(instance('a1'), longMs, never), 'ok');
    await driver.release(instance('a1'), never);
    await driver.release(instance('a1'), never);
    assert.equal(await driver.renew(instance('a1'), longMs, never), 'gone');
  });

  it('ends leases that are not renewed, without anybody else there', async () => {
    await acquire('a1', 600);
    await using following = await Following.start(driver);
    await following.untilIds();
    assert.equal(following.last?.departed, undefined);
    assert.equal(following.last?.reset, undefined);
    assert.equal(await server.command('EXISTS', keys.instances, keys.leases), 0);
  });

  it('ends the lease of a dead instance when its sibling renews', async () => {
    await acquire('a1', 600);
    await acquire('a2');
    await using following = await Following.start(driver);
    await server.command('ZADD', keys.leases, '1', 'a1');
    await driver.renew(instance('a2'), longMs, never);
    await following.untilIds('a2');
  });

  it('starts every lease anew after the server was away, once', async () => {
    await acquire('a1');
    await acquire('a2');
    await ageBy(20_000, 'a1', 'a2');
    assert.deepEqual(await ids(), ['a1', 'a2']);
    // Nobody renewed since: now they are dead.
    await ageBy(20_000, 'a1', 'a2');
    assert.deepEqual(await ids(), []);
  });

  it('starts leases anew again when they were renewed in time in between', async () => {
    await acquire('a1');
    await ageBy(20_000, 'a1');
    assert.equal(await driver.renew(instance('a1'), longMs, never), 'ok');
    assert.equal(await driver.renew(instance('a1'), longMs, never), 'ok');
    await ageBy(20_000, 'a1');
    assert.deepEqual(await ids(), ['a1']);
  });

  it('also gives time to leases that an outage left almost over', async () => {
    await acquire('a1');
    await ageBy(9_900, 'a1');
    await ids();
    const deadline = Number(await server.command('ZSCORE', keys.leases, 'a1'));
    assert.ok(deadline > Date.now() + 5000);
  });

  it('does not keep the dead because the living renew too slowly', async () => {
    await acquire('alive');
    await acquire('dead');
    for (let round = 0; round < 3; round++) {
      await ageBy(7000, 'alive', 'dead');
      assert.equal(await driver.renew(instance('alive'), longMs, never), 'ok');
    }
    assert.deepEqual(await ids(), ['alive']);
  });

  it('survives a clock that was set back', async () => {
    await acquire('a1');
    await ageBy(-3_600_000, 'a1');
    assert.deepEqual(await ids(), ['a1']);
    const deadline = Number(await server.command('ZSCORE', keys.leases, 'a1'));
    assert.ok(deadline < Date.now() + 60_000);
  });

  it('has versions that rise, whatever was lost', async () => {
    let last = 0;
    for (let round = 0; round < 3; round++) {
      await acquire('a1');
      const version = await versionNumber();
      assert.ok(version > last);
      last = version;
      await server.command('FLUSHALL');
    }
  });

  it('says that it was reset when it lost its records, to readers and to followers', async () => {
    await acquire('a1');
    const reader = openDriver(server.url);
    try {
      const known = await reader.read('payments', never);
      assert.equal(known.reset, undefined);
      {
        await using following = await Following.start(reader, 'payments', known);
        await server.command('FLUSHALL');
        await acquire('a2');
        await following.untilIds('a2');
        assert.equal(following.last?.reset, true);
      }
      assert.equal((await reader.read('payments', never)).reset, undefined);
      await server.command('FLUSHALL');
      assert.equal((await reader.read('payments', never)).reset, true);
    } finally {
      await reader.close();
    }
  });

  it('tells followers, and those who missed the message, who left by itself', async () => {
    await acquire('a1');
    await acquire('a2');
    await using following = await Following.start(driver);
    await driver.release(instance('a1'), never);
    await following.untilIds('a2');
    assert.deepEqual([...(following.last?.departed ?? [])], ['a1']);
    assert.deepEqual([...((await driver.read('payments', never)).departed ?? [])], ['a1']);
    await acquire('a1');
    assert.equal((await driver.read('payments', never)).departed, undefined);
  });

  it('notes a bounded number of those who left', async () => {
    const old = Array.from({ length: 1500 }, (_, index) => [String(Date.now()), `old${index}`]);
    await server.command('ZADD', keys.left, ...old.flat(), '1', 'ancient');
    await acquire('a1');
    await driver.release(instance('a1'), never);
    assert.equal(await server.command('ZCARD', keys.left), 1000);
    assert.ok((await driver.read('payments', never)).departed?.has('a1'));
    assert.ok(Number(await server.command('PTTL', keys.left)) > 0);
  });

  it('follows a change of another program and counts its malformed records, for one lease', async () => {
    await acquire('a1');
    await using following = await Following.start(driver);
    await server.command('HSET', keys.instances, 'foreign', 'no record', 'b2', '{"id":"b2"}');
    const reading = await driver.read('payments', never);
    assert.deepEqual(idsOf(reading), ['a1']);
    assert.equal(reading.malformed, 2);
    await following.until('the follower counts', () => following.last?.malformed === 2);
    for (const id of ['foreign', 'b2']) {
      const deadline = Number(await server.command('ZSCORE', keys.leases, id));
      assert.ok(deadline > Date.now() && deadline <= Date.now() + longMs);
      await server.command('ZADD', keys.leases, '1', id);
    }
    assert.equal((await driver.read('payments', never)).malformed, 0);
    await following.until('the follower counts', () => following.last?.malformed === 0);
  });

  it('asks instances to register again when the records, the leases or all of it were removed', async () => {
    for (const key of [keys.instances, keys.leases]) {
      await acquire('a1');
      await server.command('DEL', key);
      const answer = await driver.renew(instance('a1'), longMs, never);
      const listed = await ids();
      assert.deepEqual([answer, listed], answer === 'gone' ? ['gone', []] : ['ok', ['a1']], key);
      await server.command('FLUSHALL');
    }
    await acquire('a1');
    await server.command('DEL', keys.meta);
    assert.deepEqual(await ids(), ['a1']);
    assert.ok((await versionNumber()) > 0);
  });

  it('fails for a service whose keys have another type, and for that service only', async () => {
    await server.command('SET', keys.leases, 'a string');
    await assert.rejects(acquire('a1'), { code: 'registry_invalid' });
    await assert.rejects(driver.read('payments', never), { code: 'registry_invalid' });
    await driver.acquire(instance('o1', { service: 'orders' }), longMs, never);
    assert.deepEqual(idsOf(await driver.read('orders', never)), ['o1']);
    await server.command('SADD', 'sd:svc', 'payments');
    assert.deepEqual(await driver.names(never), ['orders']);
  });

  it('sends the scripts again when the server forgot them', async () => {
    await acquire('a1');
    await server.command('SCRIPT', 'FLUSH');
    assert.equal(await driver.renew(instance('a1'), longMs, never), 'ok');
    assert.deepEqual(await ids(), ['a1']);
  });

  it('writes nothing for a service that nobody registered', async () => {
    await driver.read('unknown', never);
    await driver.renew(instance('u1', { service: 'unknown' }), longMs, never);
    assert.deepEqual(await server.command('KEYS', '*unknown*'), []);
  });

  it('lets what nobody uses any more expire', async () => {
    await acquire('a1');
    for (const key of [keys.instances, keys.leases, keys.meta]) {
      assert.ok(Number(await server.command('PTTL', key)) > 3_600_000, key);
      await server.command('PEXPIRE', key, '60000');
    }
    await driver.renew(instance('a1'), longMs, never);
    assert.ok(Number(await server.command('PTTL', keys.instances)) > 3_600_000);
    await driver.release(instance('a1'), never);
    const kept = Number(await server.command('PTTL', keys.meta));
    assert.ok(kept > 0 && kept <= 3_600_000);
  });

  it('names the services that have instances, and forgets the others', async () => {
    await acquire('a1');
    await driver.acquire(instance('o1', { service: 'orders' }), longMs, never);
    await server.command('SADD', 'sd:svc', 'empty', 'Not A Name');
    assert.deepEqual(await driver.names(never), ['orders', 'payments']);
    await driver.release(instance('a1'), never);
    assert.deepEqual(await driver.names(never), ['orders']);
    const members = (await server.command('SMEMBERS', 'sd:svc')) as readonly string[];
    assert.deepEqual([...members].sort(), ['Not A Name', 'orders']);
  });

  it('names all of very many services', async () => {
    const services = Array.from({ length: 1200 }, (_, index) => `s${index}`);
    await Promise.all(services.map((service) => acquire('x1', longMs, service)));
    assert.deepEqual(await driver.names(never), services.sort());
  });

  it('follows a thousand instances', async () => {
    const all = Array.from({ length: 1000 }, (_, index) => `a${index}`);
    await using following = await Following.start(driver);
    await Promise.all(all.map((id) => acquire(id)));
    await following.until('all are there', () => following.last?.instances.length === 1000);
    assert.deepEqual(idsOf(await driver.read('payments', never)), [...all].sort());
    assert.equal((await driver.read('payments', never)).version, following.last?.version);
  });

  it('ends a thousand leases at once', async () => {
    const all = Array.from({ length: 1000 }, (_, index) => `a${index}`);
    await using following = await Following.start(driver);
    await Promise.all(all.map((id) => acquire(id)));
    const past = all.flatMap((id) => ['1', id]);
    await server.command('ZADD', keys.leases, ...past);
    await driver.renew(instance('a1'), longMs, never);
    await following.until('all are gone', () => following.last?.instances.length === 0);
  });
});
