import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatInstance, type Instance } from '../../../../src/core/instance.ts';
import { objectNameOf, serviceNameOf } from '../../../../src/registry/drivers/kubernetes/names.ts';
import { sliceOf } from '../../../../src/registry/drivers/kubernetes/registration.ts';
import { parseSlice, type Slice } from '../../../../src/registry/drivers/kubernetes/slice.ts';
import { Slices } from '../../../../src/registry/drivers/kubernetes/slices.ts';

const context = { service: 'payments', port: undefined };

function parsed(object: unknown, port?: string): Slice {
  const slice = parseSlice(object, { ...context, port });
  assert.ok(slice !== undefined);
  return slice;
}

function sliceObject(name: string, parts: object): object {
  return {
    metadata: { name, resourceVersion: '5' },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    endpoints: [],
    ...parts,
  };
}

function pod(name: string, address: string, conditions: object = {}): object {
  const targetRef = { kind: 'Pod', name, uid: `${name}000-uid-of-it` };
  return { addresses: [address], conditions, targetRef, zone: 'eu-1a', nodeName: 'node-7' };
}

function readingOf(...objects: readonly unknown[]) {
  return new Slices(
    objects.map((object) => parsed(object)),
    '7',
  ).reading();
}

describe('endpoints of pods', () => {
  it('become instances, with the name and the beginning of the uid as id', () => {
    const { instances } = readingOf(sliceObject('a', { endpoints: [pod('web-0', '10.0.0.1')] }));
    assert.deepEqual(instances, [
      {
        service: 'payments',
        id: 'web-0-web-0000',
        host: '10.0.0.1',
        port: 8080,
        weight: 1,
        tags: [],
        meta: { node: 'node-7' },
        zone: 'eu-1a',
      },
    ]);
  });

  it('count when ready or unknown, are missing when not, and have departed when they terminate', () => {
    const endpoints = [
      pod('null', '10.0.0.1', { ready: null }),
      pod('ready', '10.0.0.2', { ready: true, serving: true, terminating: false }),
      pod('unready', '10.0.0.3', { ready: false }),
      pod('leaving', '10.0.0.4', { ready: false, serving: true, terminating: true }),
      // With publishNotReadyAddresses all are said to be ready.
      pod('published', '10.0.0.5', { ready: true, terminating: true }),
    ];
    const { instances, departed, malformed } = readingOf(sliceObject('a', { endpoints }));
    assert.deepEqual(
      instances.map(({ host }) => host),
      ['10.0.0.1', '10.0.0.2'],
    );
    assert.deepEqual([...(departed ?? [])], ['leaving-leaving0', 'published-publishe']);
    assert.equal(malformed, 0);
  });

  it('are called at the first TCP port, or at the one that is named', () => {
    const object = sliceObject('a', {
      ports: [
        { name: 'dns', port: 53, protocol: 'UDP' },
        { name: 'http', port: 8080, appProtocol: 'kubernetes.io/h2c' },
        { name: 'grpc', port: 9090, protocol: 'TCP', appProtocol: 'grpc' },
      ],
      endpoints: [pod('a', '10.0.0.1')],
    });
    const portAndProtocol = (port?: string) => {
      const instance = parsed(object, port).endpoints[0]?.instance;
      return [instance?.port, instance?.meta['protocol']];
    };
    assert.deepEqual(portAndProtocol(), [8080, 'h2c']);
    assert.deepEqual(portAndProtocol('grpc'), [9090, 'grpc']);
    assert.equal(parsed(object, 'admin').malformed, 1);
  });

  it('count once in two slices, and by IPv4 where a pod has two addresses', () => {
    const six = { addressType: 'IPv6', endpoints: [pod('a', 'fd00::1'), pod('only', 'fd00::2')] };
    const { instances } = readingOf(
      sliceObject('six', six),
      sliceObject('four', { endpoints: [pod('a', '10.0.0.1')] }),
      sliceObject('copy', { endpoints: [pod('a', '10.0.0.1', { ready: false })] }),
    );
    assert.deepEqual(instances.map(({ host }) => host).sort(), ['10.0.0.1', 'fd00::2']);
  });

  it('without a pod, or by name, are known by their address', () => {
    const endpoints = [{ addresses: ['db.example.com'] }];
    const { instances } = readingOf(sliceObject('a', { addressType: 'FQDN', endpoints }));
    assert.equal(instances[0]?.id, 'db.example.com:8080');
    assert.equal(instances[0].host, 'db.example.com');
  });

  it('are counted when they make no sense', () => {
    const endpoints = [null, 7, { addresses: [] }, { addresses: ['a b'] }, pod('a', '10.0.0.1')];
    const reading = readingOf(sliceObject('a', { endpoints }));
    assert.equal(reading.instances.length, 1);
    assert.equal(reading.malformed, 4);
    assert.equal(parseSlice('no object', context), undefined);
    assert.equal(parsed(sliceObject('a', { endpoints: null, ports: null })).endpoints.length, 0);
  });
});

const own: Instance = {
  service: 'payments',
  id: 'ü/\u0000',
  host: '192.0.2.7',
  port: 8080,
  weight: 3,
  tags: ['x'],
  meta: { a: '\u0000' },
  zone: 'eu-1b',
};
const service = serviceNameOf('payments', 'shop');
const name = objectNameOf(service, own.id);
const written = { name, wallMs: 0 };

describe('a slice of our own', () => {
  it('gives the instance back as it was, and shows it to others', () => {
    const object = sliceOf(own, service, written);
    assert.deepEqual(parsed(object).endpoints, [{ instance: own, state: 'ready' }]);
    const foreign = { ...object, metadata: { name } };
    const [seen] = parsed(foreign).endpoints;
    assert.equal(seen?.instance.host, '192.0.2.7');
    assert.equal(seen.instance.port, 8080);
    assert.equal(seen.instance.zone, 'eu-1b');
  });

  it('shows no address that the server would refuse', () => {
    const endpointsAt = (host: string): readonly unknown[] =>
      (sliceOf({ ...own, host }, service, written) as { endpoints: readonly unknown[] }).endpoints;
    for (const host of ['127.0.0.1', '::1', '169.254.1.1', 'fe80::1', 'localhost', 'A.example']) {
      assert.equal(endpointsAt(host).length, 0, host);
    }
    for (const host of ['10.0.0.1', '2001:db8::1', 'a.example']) {
      assert.equal(endpointsAt(host).length, 1, host);
    }
  });

  it('goes with its lease', () => {
    const slices = new Slices([parsed(sliceOf(own, service, written))], '7');
    const before = slices.reading();
    assert.equal(slices.expire(new Set([name]), new Set([name])), true);
    assert.deepEqual(slices.reading().instances, []);
    assert.deepEqual([...(slices.reading().departed ?? [])], []);
    assert.notEqual(slices.reading().version, before.version);
    assert.equal(slices.expire(new Set([name]), new Set([name])), false);
  });

  it('departs when it is deleted, but not when others may have done that', () => {
    const slices = new Slices([parsed(sliceOf(own, service, written))], '7');
    slices.expire(new Set(), new Set([name]));
    assert.deepEqual(slices.reading().instances, [own]);
    slices.remove(name);
    assert.deepEqual([...(slices.reading().departed ?? [])], []);
    slices.put(parsed(sliceOf(own, service, written)));
    slices.expire(new Set(), new Set());
    slices.remove(name);
    assert.deepEqual([...(slices.reading().departed ?? [])], [own.id]);
    // Registered again, it lives until a look at its lease says otherwise.
    slices.put(parsed(sliceOf(own, service, written)));
    assert.deepEqual(slices.reading().instances, [own]);
    assert.deepEqual([...(slices.reading().departed ?? [])], []);
  });

  it('is counted when its record makes no sense', () => {
    const records = [
      '',
      '{',
      '{"id":"x"}',
      JSON.stringify(formatInstance(own)),
      'x'.repeat(20_000),
    ];
    for (const record of records) {
      const metadata = { name, annotations: { 'outrigger/instance': record } };
      const slice = parsed(sliceObject(name, { metadata, endpoints: [pod('a', '10.0.0.1')] }));
      assert.equal(slice.malformed, 1);
      assert.deepEqual(slice.endpoints, []);
    }
  });
});

describe('names', () => {
  it('may carry a namespace', () => {
    assert.deepEqual(serviceNameOf('payments', 'shop'), { name: 'payments', namespace: 'shop' });
    assert.deepEqual(serviceNameOf('db_1.prod', 'shop'), { name: 'db_1', namespace: 'prod' });
    for (const text of ['a.b.c', 'a-', 'a.', 'a.b_c', '.a']) {
      assert.throws(() => serviceNameOf(text, 'shop'), { code: 'registry_invalid' });
    }
  });

  it('of objects are those of DNS, whatever the id is', () => {
    for (const id of ['..', 'Ü', 'i'.repeat(255), 'A', 'a']) {
      const text = objectNameOf({ name: 'a_'.repeat(31), namespace: 'x' }, id);
      assert.match(text, /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/);
      assert.ok(text.length < 253);
    }
    assert.notEqual(objectNameOf(service, 'A'), objectNameOf(service, 'a'));
  });
});
