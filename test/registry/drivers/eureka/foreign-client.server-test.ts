// Eureka's usual Node client beside ours on one server: each finds what the other registered.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, describe, it } from 'node:test';
import { systemClock } from '../../../../src/core/clock.ts';
import { silentLogger } from '../../../../src/core/logger.ts';
import { systemRandom } from '../../../../src/core/random.ts';
import { openEureka } from '../../../../src/registry/drivers/eureka/driver.ts';
import type { Driver } from '../../../../src/registry/driver.ts';
import { requireEureka, startEureka, type EurekaServer } from '../../../servers/eureka.ts';
import { eventually } from '../../../support/eventually.ts';

interface Client {
  start(callback: (error?: Error) => void): void;
  stop(callback: (error?: Error) => void): void;
  getInstancesByAppId(app: string): readonly Readonly<Record<string, unknown>>[];
  getInstancesByVipAddress(vip: string): readonly Readonly<Record<string, unknown>>[];
}

const require = createRequire(import.meta.url);
const { Eureka } = require('eureka-js-client') as {
  readonly Eureka: new (options: unknown) => Client;
};

const skip = requireEureka() ?? false;
const deps = { clock: systemClock, random: systemRandom, logger: silentLogger };
const quiet = { debug: noop, info: noop, warn: noop, error: noop };
const signal = (): AbortSignal => AbortSignal.timeout(15_000);
const oftenMs = 200;

describe('eureka-js-client', { skip }, () => {
  let server: EurekaServer;
  let driver: Driver;
  let client: Client;

  before(async () => {
    server = await startEureka();
    driver = openEureka(`${server.url}?poll=${oftenMs}ms`, deps);
    client = new Eureka({
      logger: quiet,
      instance: {
        app: 'ORDERS',
        instanceId: 'orders-host:orders:9000',
        hostName: 'orders.test',
        ipAddr: '10.0.0.9',
        vipAddress: 'orders',
        port: { $: 9000, '@enabled': true },
        dataCenterInfo: {
          '@class': 'com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo',
          name: 'MyOwn',
        },
        metadata: { zone: 'eu-1b', team: 'shop' },
      },
      eureka: {
        host: '127.0.0.1',
        port: server.port,
        servicePath: '/eureka/apps/',
        heartbeatInterval: 1000,
        registryFetchInterval: oftenMs,
      },
    });
    await called((done) => client.start(done));
  });

  after(async () => {
    await called((done) => client.stop(done));
    await driver.close();
    await server.stop();
  });

  it('finds our instance with the fields that its users read, and loses it when it is released', async () => {
    const instance = {
      service: 'payments',
      id: 'payments-1',
      host: '10.0.0.7',
      port: 8080,
      weight: 1,
      tags: ['v2'],
      meta: { team: 'billing' },
      zone: 'eu-1a',
    };
    await driver.acquire(instance, 30_000, signal());
    const found = await eventually('it is found', () => client.getInstancesByAppId('PAYMENTS')[0]);
    assert.equal(client.getInstancesByVipAddress('payments').length, 1);
    const { metadata, ...fields } = found;
    assert.equal(fields['instanceId'], 'payments-1');
    assert.equal(fields['hostName'], '10.0.0.7');
    assert.equal(fields['ipAddr'], '10.0.0.7');
    assert.deepEqual(fields['port'], { $: 8080, '@enabled': 'true' });
    assert.equal(fields['status'], 'UP');
    const { zone, team, tags } = metadata as Readonly<Record<string, string>>;
    assert.deepEqual({ zone, team, tags }, { zone: 'eu-1a', team: 'billing', tags: 'v2' });
    await driver.release(instance, signal());
    await eventually(
      'it is no longer found',
      () => client.getInstancesByAppId('PAYMENTS').length === 0,
    );
  });

  it('registers an instance that we find', async () => {
    const { instances, malformed } = await driver.read('orders', signal());
    assert.equal(malformed, 0);
    assert.deepEqual(instances, [
      {
        service: 'orders',
        id: 'orders-host:orders:9000',
        host: 'orders.test',
        port: 9000,
        weight: 1,
        tags: [],
        meta: { team: 'shop' },
        zone: 'eu-1b',
      },
    ]);
    assert.ok((await driver.names(signal())).includes('orders'));
  });
});

function noop(): void {
  // The client logs each request otherwise.
}

function called(run: (done: (error?: Error) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    run((error) => {
      if (error instanceof Error) reject(error);
      else resolve();
    });
  });
}
