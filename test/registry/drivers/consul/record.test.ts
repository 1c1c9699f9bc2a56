import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Instance } from '../../../../src/core/instance.ts';
import {
  checkIdOf,
  instanceFrom,
  registrationOf,
  serviceIdOf,
} from '../../../../src/registry/drivers/consul/record.ts';

const options = {
  check: 'ttl',
  checkPath: '/healthz',
  checkIntervalMs: 10_000,
  deregisterAfterMs: 60_000,
} as const;

const instance: Instance = {
  service: 'payments',
  id: 'payments-1',
  host: '10.0.0.1',
  port: 8080,
  weight: 3,
  tags: ['v2'],
  meta: { team: 'billing' },
  version: '1.2.3',
  zone: 'eu-1a',
};

interface Registration {
  readonly ID: string;
  readonly Meta: Readonly<Record<string, string>>;
  readonly Weights: unknown;
  readonly Tags: readonly string[];
  readonly Checks: readonly Readonly<Record<string, unknown>>[];
}

function register(given: Instance, more = {}): Registration {
  return registrationOf(given, 30_000, { ...options, ...more }) as Registration;
}

function entryOf(Service: object): object {
  return { Node: { Node: 'node-1', Address: '10.9.9.9' }, Service, Checks: [] };
}

describe('the service id', () => {
  it('is the instance id where Consul keeps it as it is', () => {
    assert.equal(serviceIdOf('payments-10.0.0.1-8080-a1:b_2'), 'payments-10.0.0.1-8080-a1:b_2');
  });

  it('is another one for each id, without case, path parts or odd characters', () => {
    const ids = ['A', 'a', '~41', '.', '..', '../x', ' ', 'ü', 'x/y', 'x%2fy', '\0'];
    const serviceIds = ids.map(serviceIdOf);
    assert.equal(new Set(serviceIds).size, ids.length);
    for (const id of serviceIds) assert.match(id, /^(?!\.)[a-z0-9._:~-]+$/);
    assert.equal(checkIdOf('A'), 'service:~41:ttl');
  });
});

describe('a registration', () => {
  it('has what users of Consul expect', () => {
    const { Meta, ...others } = register(instance);
    assert.deepEqual(others, {
      ID: 'payments-1',
      Name: 'payments',
      Address: '10.0.0.1',
      Port: 8080,
      Tags: ['v2'],
      Weights: { Passing: 3, Warning: 1 },
      EnableTagOverride: false,
      Checks: [
        {
          CheckID: 'service:payments-1:ttl',
          Name: 'lease',
          TTL: '30000ms',
          Status: 'passing',
          DeregisterCriticalServiceAfter: '60000ms',
        },
      ],
    });
    const { outrigger, ...readable } = Meta;
    assert.deepEqual(readable, { team: 'billing', version: '1.2.3', zone: 'eu-1a' });
    assert.ok(outrigger !== undefined);
  });

  it('has a check by Consul where asked for', () => {
    const [http, ...others] = register({ ...instance, host: '::1' }, { check: 'http' }).Checks;
    assert.deepEqual(others, []);
    assert.equal(http?.['HTTP'], 'http://[::1]:8080/healthz');
    assert.equal(http['Interval'], '10000ms');
    assert.equal(http['Timeout'], '5000ms');
    assert.equal(register(instance, { check: 'both' }).Checks.length, 2);
  });

  it('has the tag of the registry once', () => {
    assert.deepEqual(register(instance, { tag: 'live' }).Tags, ['v2', 'live']);
    assert.deepEqual(register(instance, { tag: 'v2' }).Tags, ['v2']);
  });

  it('keeps to the limits of Consul and still comes back whole', () => {
    const meta = Object.fromEntries(
      Array.from({ length: 64 }, (_, n) => [`key${n}`, `☃${'x'.repeat(200)}`]),
    );
    const large: Instance = { ...instance, id: 'Ü/..', weight: 0, meta };
    const registration = register(large);
    const pairs = Object.entries(registration.Meta);
    assert.equal(pairs.length, 64);
    for (const [key, value] of pairs) {
      assert.match(key, /^[A-Za-z0-9_-]{1,128}$/);
      assert.ok(Buffer.byteLength(value) <= 512);
    }
    assert.deepEqual(registration.Weights, { Passing: 1, Warning: 1 });
    assert.deepEqual(instanceFrom('payments', entryOf(registration)), large);
  });

  it('leaves out of the readable pairs what Consul refuses', () => {
    const meta = {
      'a b': '1',
      'consul-x': '2',
      long: 'x'.repeat(513),
      [`k${'x'.repeat(128)}`]: '3',
      outrigger: 'mine',
      'outrigger-2': 'mine too',
    };
    const given: Instance = { ...instance, meta };
    const registration = register(given);
    const keys = Object.keys(registration.Meta).filter((key) => !key.startsWith('outrigger'));
    assert.deepEqual(keys, ['version', 'zone']);
    assert.deepEqual(instanceFrom('payments', entryOf(registration)), given);
  });
});

describe('an entry of the health API', () => {
  const foreign = { ID: 'web', Service: 'payments', Address: '', Port: 80, Tags: ['a'] };

  it('is read from the fields of Consul when others wrote it', () => {
    const Service = {
      ...foreign,
      Meta: { version: '2', zone: 'z', k: 'v' },
      Weights: { Passing: 5, Warning: 1 },
    };
    assert.deepEqual(instanceFrom('payments', entryOf(Service)), {
      service: 'payments',
      id: 'web@node-1',
      host: '10.9.9.9',
      port: 80,
      weight: 5,
      tags: ['a'],
      meta: { version: '2', zone: 'z', k: 'v' },
      version: '2',
      zone: 'z',
    });
  });

  it('is read from them too when our record tells of something else', () => {
    const copied = { ...register(instance), Address: '10.0.0.2' };
    const read = instanceFrom('payments', entryOf(copied));
    assert.equal(read?.host, '10.0.0.2');
    assert.equal(read.id, 'payments-1@node-1');
  });

  it('is none without an id or a port', () => {
    assert.equal(instanceFrom('payments', entryOf({ ...foreign, ID: undefined })), undefined);
    assert.equal(instanceFrom('payments', entryOf({ ...foreign, Port: 0 })), undefined);
    for (const entry of [null, 1, [], {}, { Node: null, Service: 'x' }]) {
      assert.equal(instanceFrom('payments', entry), undefined);
    }
  });
});
