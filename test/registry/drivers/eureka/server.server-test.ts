// What the contract suite does not ask for, on real Eureka servers.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, afterEach, before, describe, it } from 'node:test';
import { systemClock } from '../../../../src/core/clock.ts';
import type { Instance } from '../../../../src/core/instance.ts';
import { silentLogger } from '../../../../src/core/logger.ts';
import { systemRandom } from '../../../../src/core/random.ts';
import { openEureka } from '../../../../src/registry/drivers/eureka/driver.ts';
import type { Driver, Reading } from '../../../../src/registry/driver.ts';
import { requireEureka, startEureka, type EurekaServer } from '../../../servers/eureka.ts';
import { freePort } from '../../../support/free-port.ts';
import { eventually } from '../../../support/eventually.ts';

const skip = requireEureka() ?? false;
const deps = { clock: systemClock, random: systemRandom, logger: silentLogger };
const service = 'payments';
const ttlMs = 30_000;
const slow = { deadlineMs: 30_000, everyMs: 200 };
const signal = (): AbortSignal => AbortSignal.timeout(15_000);

function instanceOf(id: string, port: number): Instance {
  return { service, id, host: '127.0.0.1', port, weight: 1, tags: [], meta: {} };
}

/** What must end with a suite, the latest first. */
class Endings {
  readonly #endings: (() => Promise<void> | void)[] = [];

  driver(url: string): Driver {
    const driver = openEureka(url, deps);
    this.#endings.unshift(() => driver.close());
    return driver;
  }

  async server(...args: Parameters<typeof startEureka>): Promise<EurekaServer> {
    const server = await startEureka(...args);
    this.#endings.unshift(() => server.stop());
    return server;
  }

  /** The readings that a follower gets; the first one is what was read. */
  async follow(driver: Driver, followed = service): Promise<Reading[]> {
    const following = new AbortController();
    const readings = [await driver.read(followed, signal())];
    const [from] = readings;
    assert.ok(from !== undefined);
    const sink = {
      changed: (reading: Reading) => void readings.push(reading),
      confirmed: () => undefined,
    };
    const followedTo = driver.follow(followed, from, sink, following.signal);
    followedTo.catch(() => undefined);
    this.#endings.unshift(async () => {
      following.abort();
      await followedTo;
    });
    return readings;
  }

  add(ending: () => Promise<void> | void): void {
    this.#endings.unshift(ending);
  }

  async run(): Promise<void> {
    for (const end of this.#endings.splice(0)) await end();
  }
}

/** Before a server, to let some of its requests fail. */
class Front {
  readonly port: number;
  /** The others are answered with 503. */
  passes: (request: IncomingMessage) => boolean;
  readonly #server: Server;

  private constructor(server: Server, passes: (request: IncomingMessage) => boolean) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    this.passes = passes;
  }

  static async start(
    serverPort: number,
    passes: (request: IncomingMessage) => boolean,
  ): Promise<Front> {
    const server = createServer((incoming, outgoing) => {
      if (!front.passes(incoming)) {
        outgoing.writeHead(503).end();
        return;
      }
      const { method, url: path, headers } = incoming;
      const sent = request({ host: '127.0.0.1', port: serverPort, method, path, headers });
      sent.on('response', (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      });
      sent.on('error', () => outgoing.destroy());
      incoming.pipe(sent);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const front = new Front(server, passes);
    return front;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

function idsOf(reading: Reading | undefined): readonly string[] {
  return (reading?.instances ?? []).map(({ id }) => id).sort();
}

describe('a lease on a real server', { skip }, () => {
  const endings = new Endings();
  let server: EurekaServer;
  before(async () => {
    server = await startEureka();
  });
  afterEach(async () => {
    await endings.run();
    await server.clear();
  });
  after(() => server.stop());

  it('lasts as long as it should once it was renewed', async () => {
    const driver = endings.driver(server.url);
    const lease = instanceOf('lease', 1);
    await driver.acquire(lease, 6000, signal());
    assert.equal(await driver.renew(lease, 6000, signal()), 'ok');
    const renewedMs = performance.now();
    const path = '/apps/PAYMENTS/lease';
    await eventually('it ends', async () => (await server.call('GET', path)).status === 404, slow);
    const lastedMs = performance.now() - renewedMs;
    assert.ok(lastedMs > 5500 && lastedMs < 12_000, `${lastedMs} ms`);
    assert.equal(await driver.renew(lease, 6000, signal()), 'gone');
  });

  it('is out of service when it is removed', async () => {
    const driver = endings.driver(server.url);
    const lease = instanceOf('leaving', 1);
    await driver.acquire(lease, ttlMs, signal());
    await driver.release(lease, signal());
    const { text } = await server.call('GET', '/apps/delta');
    const entry = /"instanceId":"leaving".*?"actionType":"([A-Z]+)"/.exec(text);
    assert.match(entry?.[0] ?? '', /"status":"OUT_OF_SERVICE"/);
    assert.equal(entry?.[1], 'DELETED');
  });

  it('is callable again after a release of which the removal failed', async () => {
    const front = await Front.start(server.port, ({ method }) => method !== 'DELETE');
    endings.add(() => front.close());
    const driver = endings.driver(`eureka://127.0.0.1:${front.port}/eureka`);
    const lease = instanceOf('lease', 1);
    await driver.acquire(lease, ttlMs, signal());
    await assert.rejects(driver.release(lease, signal()), { code: 'registry_unavailable' });
    const reader = endings.driver(server.url);
    assert.deepEqual(idsOf(await reader.read(service, signal())), []);
    front.passes = () => true;
    await driver.acquire(lease, ttlMs, signal());
    assert.deepEqual(idsOf(await endings.driver(server.url).read(service, signal())), ['lease']);
  });

  it('keeps a status that an operator set', async () => {
    const driver = endings.driver(server.url);
    const lease = instanceOf('lease', 1);
    await driver.acquire(lease, ttlMs, signal());
    await server.call('PUT', '/apps/PAYMENTS/lease/status?value=OUT_OF_SERVICE');
    await driver.acquire(lease, ttlMs, signal());
    const reading = await endings.driver(server.url).read(service, signal());
    assert.deepEqual(idsOf(reading), []);
    assert.deepEqual([...(reading.departed ?? [])], ['lease']);
  });

  it('names services by VIP address when it is told to', async () => {
    await server.call('POST', '/apps/BACKEND', {
      instance: {
        instanceId: 'b1',
        app: 'BACKEND',
        hostName: 'b1.test',
        ipAddr: '10.0.0.1',
        vipAddress: 'Payments,billing',
        status: 'UP',
        port: { $: 80, '@enabled': 'true' },
        dataCenterInfo: {
          '@class': 'com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo',
          name: 'MyOwn',
        },
      },
    });
    const driver = endings.driver(`${server.url}?vip=1`);
    assert.deepEqual(await driver.names(signal()), ['billing', 'payments']);
    await driver.acquire(instanceOf('own', 1), ttlMs, signal());
    const reading = await endings.driver(`${server.url}?vip=1`).read(service, signal());
    assert.deepEqual(idsOf(reading), ['b1', 'own']);
  });
});

describe('following a real server', { skip }, () => {
  const endings = new Endings();
  after(() => endings.run());

  it('tells that a server which was restarted between two polls lost its records', async () => {
    const server = await endings.server();
    const driver = endings.driver(server.url);
    for (const n of [1, 2]) await driver.acquire(instanceOf(`i${n}`, n), ttlMs, signal());
    const readings = await endings.follow(endings.driver(`${server.url}?poll=40s`));
    const reader = endings.driver(`${server.url}?poll=40s`);
    const before = await endings.follow(reader);
    assert.deepEqual(idsOf(before.at(-1)), ['i1', 'i2']);
    await server.end();
    await server.start();
    const reading = await reader.read(service, signal());
    assert.deepEqual(idsOf(reading), []);
    assert.equal(reading.reset, true);
    assert.equal(readings.length, 1, 'the other one has not asked yet');
  });

  it('works with a server that tells no changes', async () => {
    const server = await endings.server({ args: ['--eureka.server.disableDelta=true'] });
    const driver = endings.driver(server.url);
    const readings = await endings.follow(endings.driver(`${server.url}?poll=200ms`));
    await driver.acquire(instanceOf('a', 1), ttlMs, signal());
    await eventually('it is seen', () => idsOf(readings.at(-1)).join() === 'a');
  });

  it('does not take a server that is warming up for an empty one', async () => {
    const args = [
      '--eureka.instance.registry.defaultOpenForTrafficCount=0',
      '--eureka.server.waitTimeInMsWhenSyncEmpty=600000',
    ];
    const server = await endings.server({ args });
    const driver = endings.driver(server.url);
    await driver.acquire(instanceOf('a', 1), ttlMs, signal());
    await assert.rejects(driver.read(service, signal()), { code: 'registry_unavailable' });
    await assert.rejects(driver.names(signal()), { code: 'registry_unavailable' });
  });
});

describe('two servers that replicate', { skip }, () => {
  const endings = new Endings();
  after(() => endings.run());

  it('are used as one: the loss of the first costs neither the lease nor an instance', async () => {
    const [one, two] = [await freePort(), await freePort()];
    const peer = (port: number, name: string, other: number): Promise<EurekaServer> =>
      endings.server({
        port,
        args: [
          `--eureka.instance.hostname=${name}`,
          `--eureka.client.serviceUrl.defaultZone=http://127.0.0.1:${other}/eureka/`,
        ],
      });
    const [first, second] = await Promise.all([peer(one, 'one', two), peer(two, 'two', one)]);
    const url = `eureka://127.0.0.1:${one},127.0.0.1:${two}/eureka?poll=200ms`;
    const driver = endings.driver(url);
    const lease = instanceOf('a', 1);
    await driver.acquire(lease, ttlMs, signal());
    const readings = await endings.follow(endings.driver(url));
    await eventually(
      'the second has it',
      async () => (await second.call('GET', '/apps/PAYMENTS/a')).status === 200,
      slow,
    );
    await first.end();
    assert.equal(await driver.renew(lease, ttlMs, signal()), 'ok');
    const reading = await driver.read(service, signal());
    assert.deepEqual(idsOf(reading), ['a']);
    assert.ok(readings.every(({ instances }) => instances.length === 1));
  });
});

describe('self-preservation', { skip }, () => {
  const endings = new Endings();
  after(() => endings.run());

  it('keeps a crashed instance in the registry, and we leave it out', async () => {
    const server = await endings.server({ selfPreservation: true });
    const shortTtlMs = 2000;
    const driver = endings.driver(server.url);
    const [alive, crashed] = [instanceOf('alive', 1), instanceOf('crashed', 2)];
    for (const lease of [alive, crashed]) {
      await driver.acquire(lease, shortTtlMs, signal());
      await driver.renew(lease, shortTtlMs, signal());
    }
    const reader = endings.driver(`${server.url}?poll=200ms`);
    const readings = await endings.follow(reader);
    assert.deepEqual(idsOf(readings.at(-1)), ['alive', 'crashed']);
    await eventually(
      'the crashed one is left out',
      async () => {
        await driver.renew(alive, shortTtlMs, signal());
        return idsOf(await reader.read(service, signal())).join() === 'alive';
      },
      slow,
    );
    const listed = await server.call('GET', '/apps/PAYMENTS/crashed');
    assert.equal(listed.status, 200, 'the server still lists it');
    assert.match(listed.text, /"status":"UP"/);
    await eventually('followers learn it', () => idsOf(readings.at(-1)).join() === 'alive');

    await driver.renew(crashed, shortTtlMs, signal());
    await eventually(
      'it is back when it renews',
      async () => {
        await driver.renew(alive, shortTtlMs, signal());
        await driver.renew(crashed, shortTtlMs, signal());
        return idsOf(await reader.read(service, signal())).join() === 'alive,crashed';
      },
      slow,
    );
  });
});
