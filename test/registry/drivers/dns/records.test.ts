import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Answer } from '../../../../src/core/dns-packet.ts';
import {
  addressesOf,
  instancesOf,
  lifetimeMs,
  targetsOf,
} from '../../../../src/registry/drivers/dns/records.ts';

function srv(
  target: string,
  parts: { port?: number; priority?: number; weight?: number } = {},
): Answer {
  const data = { target, port: 80, priority: 0, weight: 1, ...parts };
  return { type: 'SRV', name: 'web.t', ttl: 5, data };
}

const targets = (...answers: readonly Answer[]): string[] =>
  targetsOf('web.t', { answers: [...answers] }).targets.map(
    ({ host, port, weight }) => `${host}:${port}*${weight}`,
  );

describe('targetsOf', () => {
  it('takes those of the most preferred priority only', () => {
    const all = [
      srv('b.t', { priority: 20 }),
      srv('a.t', { priority: 10 }),
      srv('c.t', { priority: 10 }),
    ];
    assert.deepEqual(targets(...all), ['a.t:80*1', 'c.t:80*1']);
  });

  it('keeps the shares of the load within what an instance can have', () => {
    assert.deepEqual(targets(srv('a.t', { weight: 0 }), srv('b.t', { weight: 0 })), [
      'a.t:80*1',
      'b.t:80*1',
    ]);
    assert.deepEqual(targets(srv('a.t', { weight: 0 }), srv('b.t', { weight: 10 })), [
      'a.t:80*1',
      'b.t:80*10',
    ]);
    assert.deepEqual(targets(srv('a.t', { weight: 65_535 }), srv('b.t', { weight: 13_107 })), [
      'a.t:80*1000',
      'b.t:80*200',
    ]);
  });

  it('leaves out what is no target, and counts what is none by mistake', () => {
    const answers = [
      srv('.'),
      srv(''),
      srv('a b'),
      srv('a.t', { port: 0 }),
      srv('OK.t.'),
      srv('a..t'),
    ];
    const found = targetsOf('web.t', { answers });
    assert.deepEqual(
      found.targets.map(({ host }) => host),
      ['ok.t'],
    );
    assert.equal(found.malformed, 3);
  });

  it('follows aliases, also in a circle, and ignores records of other names', () => {
    const alias = (name: string, data: string): Answer => ({ type: 'CNAME', name, data, ttl: 1 });
    const real: Answer = { type: 'SRV', name: 'Real.t', ttl: 1, data: { target: 'a.t', port: 80 } };
    const stray: Answer = {
      type: 'SRV',
      name: 'other.t',
      ttl: 1,
      data: { target: 'b.t', port: 80 },
    };
    assert.deepEqual(targets(alias('web.t', 'mid.t'), alias('mid.t', 'real.t'), real, stray), [
      'a.t:80*1',
    ]);
    assert.deepEqual(targets(alias('web.t', 'mid.t'), alias('mid.t', 'web.t'), stray), []);
  });
});

describe('addressesOf', () => {
  it('has each address of the type once', () => {
    const a = (data: string): Answer => ({ type: 'A', name: 'H.t', data });
    const records: Answer[] = [
      a('2.2.2.2'),
      a('1.1.1.1'),
      a('2.2.2.2'),
      { type: 'AAAA', name: 'h.t', data: '::1' },
    ];
    assert.deepEqual(addressesOf('h.t', records, 'A'), ['1.1.1.1', '2.2.2.2']);
    assert.deepEqual(addressesOf('h.t', records, 'AAAA'), ['::1']);
  });
});

describe('instancesOf', () => {
  const place = (
    weight: number,
    ...addresses: readonly string[]
  ): Parameters<typeof instancesOf>[1][0] => {
    return { host: 'h.t', port: 80, weight, addresses };
  };

  it('has each address and port once, with its largest weight, in one order', () => {
    const places = [place(2, '10.0.0.2'), place(1, '10.0.0.1', '10.0.0.2'), place(3, '::1')];
    const expected = ['10.0.0.1:80*1', '10.0.0.2:80*2', '[::1]:80*3'];
    for (const all of [places, [...places].reverse()]) {
      assert.deepEqual(
        instancesOf('web', all).map(({ id, weight }) => `${id}*${weight}`),
        expected,
      );
    }
  });

  it('is bounded, whatever targets and addresses multiply to', () => {
    const addresses = Array.from({ length: 1000 }, (_, n) => `10.0.${n >> 8}.${n & 255}`);
    const places = Array.from({ length: 1000 }, (_, n) => ({
      ...place(1, ...addresses),
      port: n + 1,
    }));
    assert.equal(instancesOf('web', places).length, 5000);
  });
});

describe('lifetimeMs', () => {
  const of = (parts: object): number | undefined => lifetimeMs(parts);
  it('is that of the record that lives shortest', () => {
    const additionals = [
      { type: 'A', name: 'a', data: '1.1.1.1', ttl: 3 },
      { type: 'OPT', name: '.', ttl: 0 },
    ];
    assert.equal(of({ answers: [srv('a.t')], additionals }), 3000);
  });

  it('of nothing is what the SOA says, if it is there', () => {
    const soa = { type: 'SOA', name: 't', ttl: 30, data: { minimum: 7 } };
    assert.equal(of({ answers: [], authorities: [soa] }), 7000);
    assert.equal(of({}), undefined);
  });
});
