// The command line of the proxies' benchmark.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseOptions } from '../../bench/proxies/options.ts';

describe('options of the benchmark', () => {
  it('take several numbers of instances, each once', () => {
    assert.deepEqual(parseOptions([]).plan.instances, [2]);
    assert.deepEqual(parseOptions(['--instances', '2,10,100,10']).plan.instances, [2, 10, 100]);
  });

  it('refuse what is no number', () => {
    for (const text of ['0', 'two', '2,', '1.5']) {
      assert.throws(() => parseOptions(['--instances', text]), /is no number from 1 up/);
    }
  });

  it('have HAProxy beside Outrigger on versions of Node, and others that are named', () => {
    const names = (...args: readonly string[]): string[] =>
      parseOptions(args).plan.wanted.map(({ name }) => name);
    assert.deepEqual(names('--node', '22'), ['HAProxy', 'Outrigger on Node 22']);
    assert.deepEqual(names('--node', '22', '--proxy', 'nginx'), ['nginx', 'Outrigger on Node 22']);
    assert.deepEqual(names('--proxy', 'haproxy,outrigger'), ['HAProxy', 'Outrigger']);
  });
});
