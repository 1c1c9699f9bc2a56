// The routing of a cluster without servers: which connection a command goes to, and when the map is asked for again.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatAddress, type Address } from '../../../../src/core/address.ts';
import { Cluster } from '../../../../src/registry/drivers/redis/cluster.ts';
import { slotOf } from '../../../../src/registry/drivers/redis/hash-slot.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { FakeServer, replyError } from './fake-port.ts';

const slot = slotOf('payments');
const ok = 'cluster_enabled:1\r\ncluster_state:ok\r\n';

/** Servers `a:1`, `b:1` and so on; each answers by its entry in `answers`. */
class FakeCluster {
  readonly clock = new FakeClock();
  /** Commands in their order, as `a PING`. */
  readonly log: string[] = [];
  readonly servers = new Map<string, FakeServer>();
  owner = 'a';
  state = ok;
  answers: Readonly<Record<string, (() => Promise<unknown>) | undefined>> = {};
  readonly cluster = new Cluster(
    { clock: this.clock, random: () => 0, openAt: (address) => this.#server(address).open },
    {
      timeoutMs: 2000,
      pingEveryMs: 1000,
      seeds: [
        { host: 'a', port: 1 },
        { host: 'b', port: 1 },
      ],
    },
  );

  command(signal?: AbortSignal): Promise<unknown> {
    return this.cluster.use('payments', (port) => port.command('EVALSHA', []), signal);
  }

  /** What was asked since the last call. */
  taken(): readonly string[] {
    return this.log.splice(0);
  }

  #server(address: Address): FakeServer {
    const server = new FakeServer();
    const { host } = address;
    this.servers.set(formatAddress(address), server);
    const open = server.open;
    return Object.assign(server, {
      open: async (...args: Parameters<typeof open>) => {
        const port = await open(...args);
        server.port.answer = (name, [what = '']) => {
          this.log.push(`${host} ${what === '' ? name : what}`);
          if (what === 'INFO') return Promise.resolve(this.state);
          if (what === 'SLOTS') return Promise.resolve([[0, 16_383, [this.owner, 1]]]);
          return this.answers[host]?.() ?? Promise.resolve(`from ${host}`);
        };
        return port;
      },
    });
  }
}

const rejecting = (text: string) => (): Promise<unknown> => Promise.reject(replyError(text));

describe('a cluster', () => {
  it('learns the map once, and sends each command to the owner', async () => {
    const fake = new FakeCluster();
    fake.owner = 'c';
    assert.deepEqual(await Promise.all([fake.command(), fake.command()]), ['from c', 'from c']);
    assert.deepEqual(fake.taken(), ['a INFO', 'a SLOTS', 'c EVALSHA', 'c EVALSHA']);
    assert.equal(fake.servers.get('a:1')?.port.closed, true, 'the seed is not needed any more');
    assert.equal(await fake.command(), 'from c');
    assert.deepEqual(fake.taken(), ['c EVALSHA']);
  });

  it('follows a moved slot, and learns the map again for the next use', async () => {
    const fake = new FakeCluster();
    await fake.command();
    fake.taken();
    fake.answers = { a: rejecting(`MOVED ${slot} c:1`) };
    fake.owner = 'c';
    const before = await fake.cluster.subscriptions('payments', new AbortController().signal);
    assert.equal(await fake.command(), 'from c');
    assert.deepEqual(fake.taken(), ['a EVALSHA', 'c EVALSHA']);
    await fake.clock.advance(1000);
    assert.equal(await fake.command(), 'from c');
    assert.deepEqual(fake.taken(), ['c INFO', 'c SLOTS', 'c EVALSHA']);
    const after = await fake.cluster.subscriptions('payments', new AbortController().signal);
    assert.notEqual(after, before);
  });

  it('asks the server that a slot is on its way to, for that command only', async () => {
    const fake = new FakeCluster();
    await fake.command();
    fake.taken();
    fake.answers = { a: rejecting(`ASK ${slot} c:1`) };
    assert.equal(await fake.command(), 'from c');
    assert.deepEqual(fake.taken(), ['a EVALSHA', 'c ASKING', 'c EVALSHA']);
    fake.answers = {};
    assert.equal(await fake.command(), 'from a');
  });

  it('does not go in circles', async () => {
    const fake = new FakeCluster();
    await fake.command();
    fake.taken();
    const there = rejecting(`MOVED ${slot} c:1`);
    fake.answers = { a: there, c: rejecting(`MOVED ${slot} a:1`) };
    await assert.rejects(fake.command(), { code: 'registry_unavailable' });
    assert.equal(fake.taken().length, 4);
  });

  it('asks another server for the map when one does not answer or is cut off', async () => {
    const fake = new FakeCluster();
    await fake.command();
    fake.taken();
    fake.servers.get('a:1')?.port.events.lost(new Error('connection closed'));
    const gone = fake.servers.get('a:1');
    assert.ok(gone !== undefined);
    gone.refuse = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
    await assert.rejects(fake.command(), { code: 'registry_unreachable' });
    await fake.clock.advance(1000);
    fake.owner = 'b';
    assert.equal(await fake.command(), 'from b');
    assert.deepEqual(fake.taken(), ['b INFO', 'b SLOTS', 'b EVALSHA']);
  });

  it('believes no map of a server that says that the cluster is down', async () => {
    const fake = new FakeCluster();
    fake.state = 'cluster_state:fail\r\n';
    await assert.rejects(fake.command(), { code: 'registry_unavailable', message: /CLUSTERDOWN/ });
    assert.deepEqual(fake.taken(), ['a INFO', 'a SLOTS', 'b INFO', 'b SLOTS']);
    fake.state = ok;
    assert.equal(await fake.command(), 'from a');
  });

  it('does not ask for the map with every use while a server is away', async () => {
    const fake = new FakeCluster();
    await fake.command();
    fake.taken();
    await fake.clock.advance(1000);
    fake.answers = { a: rejecting('CLUSTERDOWN Hash slot not served') };
    for (let use = 0; use < 10; use++) await assert.rejects(fake.command());
    const asked = fake.taken().filter((line) => line.endsWith('SLOTS')).length;
    assert.equal(asked, 1);
  });

  it('keeps the map after answers that say nothing about it', async () => {
    const fake = new FakeCluster();
    await fake.command();
    await fake.clock.advance(1000);
    fake.taken();
    fake.answers = { a: rejecting('TRYAGAIN Multiple keys request during rehashing of slot') };
    await assert.rejects(fake.command(), { code: 'registry_unavailable' });
    await assert.rejects(fake.command(), { code: 'registry_unavailable' });
    assert.deepEqual(fake.taken(), ['a EVALSHA', 'a EVALSHA']);
  });

  it('closes every connection, and makes no others', async () => {
    const fake = new FakeCluster();
    await fake.command();
    await fake.cluster.close();
    assert.equal(fake.servers.get('a:1')?.port.closed, true);
    await assert.rejects(fake.command(), { code: 'registry_unreachable' });
    assert.equal(fake.clock.pendingTimers, 0);
  });
});
