import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nameOfHost, readQuestion } from '../../src/dns/question.ts';

describe('readQuestion', () => {
  const asked = (name: string): unknown => readQuestion(name, 'outrigger');
  const service = (name: string, tag?: string): unknown => ({ kind: 'service', name, tag });

  it('reads services, with and without protocol and tag, in any case', () => {
    assert.deepEqual(asked('Payments.Outrigger.'), service('payments'));
    assert.deepEqual(asked('v2.payments.outrigger'), service('v2.payments'));
    assert.deepEqual(asked('_payments._tcp.outrigger'), service('payments'));
    assert.deepEqual(asked('_pay.ments._http.outrigger'), service('pay.ments'));
    assert.deepEqual(asked('_payments._v2.outrigger'), service('payments', 'v2'));
  });

  it('knows the domain, and what is not in it', () => {
    assert.deepEqual(asked('outrigger'), { kind: 'apex' });
    assert.deepEqual(asked('example.org'), { kind: 'outside' });
    assert.deepEqual(asked('notoutrigger'), { kind: 'outside' });
    assert.deepEqual(asked('_x.outrigger'), { kind: 'nothing' });
    assert.deepEqual(readQuestion('web.service.consul', 'service.consul'), service('web'));
  });

  it('finds the address again that a name stands for', () => {
    for (const host of [
      '127.0.0.1',
      '10.255.0.9',
      '::1',
      '2001:db8::a:0:1',
      '::',
      '1:2:3:4:5:6:7:8',
    ]) {
      const name = nameOfHost(host, 'outrigger');
      assert.match(name, /^[0-9a-f]+\.addr\.outrigger$/);
      assert.deepEqual(asked(name), { kind: 'address', address: host });
    }
    assert.equal(nameOfHost('db.example', 'outrigger'), 'db.example');
  });
});
