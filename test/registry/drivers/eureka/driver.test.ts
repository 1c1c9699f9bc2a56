import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { silentLogger } from '../../../../src/core/logger.ts';
import type { Instance } from '../../../../src/core/instance.ts';
import type { Driver } from '../../../../src/registry/driver.ts';
import { openEureka } from '../../../../src/registry/drivers/eureka/driver.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { entryOf, listText } from './fixture.ts';

type Answer = readonly [status: number, text?: string];

const instance: Instance = {
  service: 'payments',
  id: '../a b',
  host: '10.0.0.7',
  port: 80,
  weight: 1,
  tags: [],
  meta: {},
};
const empty = listText([], '');
const signal = (): AbortSignal => AbortSignal.timeout(5000);

/** Answers each request as the test says, and notes it. */
class FakeServer {
  readonly asked: string[] = [];
  readonly bodies: string[] = [];
  authorization: string | undefined;
  answer: (asked: string) => Answer = () => [200, empty];
  readonly #server: Server = createServer((request, response) => {
    const asked = `${request.method ?? ''} ${request.url ?? ''}`;
    this.asked.push(asked);
    this.authorization = request.headers.authorization;
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      this.bodies.push(body);
      const [status, text] = this.answer(asked);
      response.writeHead(status).end(text);
    });
  });

  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

describe('the Eureka driver', () => {
  const clock = new FakeClock();
  const servers: FakeServer[] = [];
  const drivers: Driver[] = [];

  afterEach(async () => {
    for (const driver of drivers.splice(0)) await driver.close();
    for (const server of servers.splice(0)) server.close();
  });

  async function openWith(count: number, rest = ''): Promise<Driver> {
    const addresses: string[] = [];
    for (let n = 0; n < count; n++) {
      const server = new FakeServer();
      servers.push(server);
      addresses.push(await server.listen());
    }
    const deps = { clock, random: () => 0.5, logger: silentLogger };
    const driver = openEureka(`eureka://app:pw@${addresses.join(',')}${rest}`, deps);
    drivers.push(driver);
    return driver;
  }

  function server(index = 0): FakeServer {
    const found = servers[index];
    assert.ok(found !== undefined);
    return found;
  }

  it('registers, renews and removes with the calls of the protocol', async () => {
    const driver = await openWith(1);
    server().answer = (asked) => [asked.startsWith('POST') ? 204 : 200];
    await driver.acquire(instance, 90_000, signal());
    assert.equal(await driver.renew(instance, 90_000, signal()), 'ok');
    await driver.release(instance, signal());
    const path = '/eureka/apps/PAYMENTS';
    const own = `${path}/~Li4vYSBi`;
    const writtenAtMs = Math.floor(clock.wallMs());
    assert.deepEqual(server().asked, [
      `POST ${path}`,
      `PUT ${own}?status=UP&lastDirtyTimestamp=${writtenAtMs}`,
      `PUT ${own}/status?value=OUT_OF_SERVICE`,
      `DELETE ${own}`,
    ]);
    assert.equal(server().authorization, `Basic ${Buffer.from('app:pw').toString('base64')}`);
  });

  it('writes a later time with each record, also when the clock stands still', async () => {
    const driver = await openWith(1);
    server().answer = () => [204];
    await driver.acquire(instance, 90_000, signal());
    await driver.acquire(instance, 90_000, signal());
    const times = server().bodies.map((body) => /"lastDirtyTimestamp":"(\d+)"/.exec(body)?.[1]);
    assert.equal(Number(times[1]), Number(times[0]) + 1);
  });

  it('learns that it is gone, and needs nothing to be there for a release', async () => {
    const driver = await openWith(1);
    server().answer = () => [404];
    assert.equal(await driver.renew(instance, 90_000, signal()), 'gone');
    await driver.release(instance, signal());
  });

  it('registers in the zone of the URL unless the instance has one', async () => {
    const driver = await openWith(1, '?zone=eu-1a');
    server().answer = () => [204];
    await driver.acquire(instance, 90_000, signal());
    await driver.acquire({ ...instance, zone: 'eu-1b' }, 90_000, signal());
    const zones = server().bodies.map((body) => /"zone":"([^"]+)"/.exec(body)?.[1]);
    assert.deepEqual(zones, ['eu-1a', 'eu-1b']);
  });

  it('never takes a refusal for an empty list', async () => {
    const driver = await openWith(1);
    const codes = new Map<Answer, string>([
      [[403], 'registry_unavailable'],
      [[503], 'registry_unavailable'],
      [[401], 'registry_auth'],
      [[404], 'registry_invalid'],
      [[200, '<html>'], 'registry_invalid'],
    ]);
    for (const [answer, code] of codes) {
      server().answer = () => answer;
      await assert.rejects(driver.read('payments', signal()), { code });
    }
    server().answer = () => [403];
    await assert.rejects(driver.acquire(instance, 90_000, signal()), { code: 'registry_auth' });
  });

  it('goes to the next server when one says that it cannot serve', async () => {
    const driver = await openWith(2);
    server(0).answer = () => [503];
    await assert.rejects(driver.read('payments', signal()), { code: 'registry_unavailable' });
    assert.deepEqual((await driver.read('payments', signal())).instances, []);
    assert.equal(server(1).asked.length, 1);
  });

  it('asks the application at a later read, and believes it when the changes were not all', async () => {
    const driver = await openWith(1);
    const one = listText([entryOf('a')], 'UP_1_');
    const two = listText([entryOf('a'), entryOf('b')], 'UP_2_');
    server().answer = () => [200, one];
    const from = await driver.read('payments', signal());
    const following = new AbortController();
    const confirmed = new Promise<void>((resolve) => {
      const sink = { changed: () => undefined, confirmed: resolve };
      void driver.follow('payments', from, sink, following.signal);
    });
    await confirmed;
    following.abort();
    await clock.advance(2000);
    // The list of changes is an old one from the server's cache.
    server().answer = (asked) => [200, asked.endsWith('/delta') ? one : two];
    const { instances } = await driver.read('payments', signal());
    assert.deepEqual(
      instances.map(({ id }) => id),
      ['a', 'b'],
    );
  });

  it('asks once for all services that it follows', async () => {
    const driver = await openWith(1);
    server().answer = () => [
      200,
      listText([entryOf('a'), entryOf('b', { app: 'ORDERS' })], 'UP_2_'),
    ];
    const services = ['payments', 'orders', 'nobody'];
    const readings = await Promise.all(services.map((name) => driver.read(name, signal())));
    assert.deepEqual(
      readings.map(({ instances }) => instances.length),
      [1, 1, 0],
    );
    assert.deepEqual(server().asked, ['GET /eureka/apps']);
    assert.deepEqual(await driver.names(signal()), ['orders', 'payments']);
  });
});
