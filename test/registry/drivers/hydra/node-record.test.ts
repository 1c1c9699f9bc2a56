import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Instance } from '../../../../src/core/instance.ts';
import { hydraIdOf } from '../../../../src/registry/drivers/hydra/keys.ts';
import {
  formatNode,
  readNode,
  serviceNameIn,
} from '../../../../src/registry/drivers/hydra/node-record.ts';

const instance: Instance = {
  service: 'payments',
  id: 'payments-10.0.0.1-8080-k3x',
  host: '10.0.0.1',
  port: 8080,
  weight: 7,
  tags: ['v2'],
  meta: { 'hydra.description': 'takes money', note: '"serviceName":"orders"\u0000' },
  version: '1.2.3',
  zone: 'eu',
  startedAtMs: 5,
};

/** As hydra 1.9.3 writes it. */
const foreign = {
  serviceName: 'payments',
  serviceDescription: 'not specified',
  version: '4.5.6',
  instanceID: '73909f8c96a9d08e876411c0a212a1f4',
  updatedOn: '2026-01-02T03:04:05.006Z',
  processID: 11,
  ip: '10.0.0.2',
  port: 5678,
  hostName: 'box',
};

function readForeign(changes: object): Instance | undefined {
  const text = JSON.stringify({ ...foreign, ...changes });
  return readNode('payments', foreign.instanceID, text);
}

describe('the id for Hydra', () => {
  it("is kept when it has Hydra's form, and else made, different for each id and service", () => {
    assert.equal(hydraIdOf('payments', foreign.instanceID), foreign.instanceID);
    const ids = [
      hydraIdOf('payments', 'a'),
      hydraIdOf('payments', 'A'),
      hydraIdOf('orders', 'a'),
      hydraIdOf('payments', foreign.instanceID.toUpperCase()),
    ];
    assert.equal(new Set(ids).size, ids.length);
    for (const id of ids) assert.match(id, /^[0-9a-f]{32}$/);
  });
});

describe('a node record', () => {
  const hydraId = hydraIdOf('payments', instance.id);

  it("has Hydra's fields", () => {
    const node = JSON.parse(formatNode(instance, 1_700_000_000_000)) as Record<string, unknown>;
    assert.equal(node['serviceName'], 'payments');
    assert.equal(node['serviceDescription'], 'takes money');
    assert.equal(node['version'], '1.2.3');
    assert.equal(node['instanceID'], hydraId);
    assert.equal(node['updatedOn'], '2023-11-14T22:13:20.000Z');
    assert.equal(node['ip'], '10.0.0.1');
    assert.equal(node['port'], 8080);
    assert.equal(node['processID'], process.pid);
    assert.equal(typeof node['hostName'], 'string');
  });

  it('gives our instance back whole', () => {
    assert.deepEqual(readNode('payments', hydraId, formatNode(instance, 0)), instance);
  });

  it('of Hydra gives what it has', () => {
    assert.deepEqual(readForeign({ port: '5678' }), {
      service: 'payments',
      id: foreign.instanceID,
      host: '10.0.0.2',
      port: 5678,
      weight: 1,
      tags: [],
      meta: { 'hydra.hostName': 'box' },
      version: '4.5.6',
    });
    const described = readForeign({ serviceDescription: 'x', version: 'unspecified' });
    assert.equal(described?.meta['hydra.description'], 'x');
    assert.equal(described.version, undefined);
  });

  it('that somebody copied under another id is not our instance', () => {
    const copy = readNode('payments', foreign.instanceID, formatNode(instance, 0));
    assert.equal(copy?.id, foreign.instanceID);
    assert.equal(copy.weight, 1);
  });

  it('is none without a service, an address or a port, or when it is too long', () => {
    const senseless = [{ serviceName: 'orders' }, { ip: '' }, { ip: 'a b' }, { port: 'x' }];
    for (const changes of [...senseless, { port: 0 }, { x: 'x'.repeat(40_000) }]) {
      assert.equal(readForeign(changes), undefined);
    }
    for (const text of ['', 'null', '"x"', '[]', '{']) {
      assert.equal(readNode('payments', 'x', text), undefined);
    }
  });

  it('shows its service at a glance', () => {
    assert.equal(serviceNameIn(formatNode(instance, 0)), 'payments');
    assert.equal(serviceNameIn('{"ip": "x", "serviceName" : "orders"}'), 'orders');
    assert.equal(serviceNameIn('{"ip":"x"}'), undefined);
    assert.equal(serviceNameIn('{"serviceName":"No Name"}'), undefined);
  });
});
