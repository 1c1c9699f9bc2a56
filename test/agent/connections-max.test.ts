import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { connectionsMax, connectionsMaxOf } from '../../src/agent/connections-max.ts';

const line = (soft: string): string =>
  `Limit                     Soft Limit           Hard Limit           Units\nMax open files            ${soft}                 4096                 files\n`;

describe('connectionsMax', () => {
  it('leaves descriptors for the agent itself and for the connections to instances', () => {
    assert.equal(connectionsMaxOf(line('256')), 80);
    assert.equal(connectionsMaxOf(line('1048576')), 524_240);
  });

  it('takes a few even under an absurd limit, and any number where the limit is unknown', () => {
    assert.equal(connectionsMaxOf(line('64')), 16);
    assert.equal(connectionsMaxOf(line('unlimited')), Infinity);
    assert.equal(connectionsMaxOf(''), Infinity);
  });

  it('knows the limit of this process', () => {
    assert.ok(connectionsMax() >= 16);
  });
});
