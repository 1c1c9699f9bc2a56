// What a `file:` URL says.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseFileUrl } from '../../../../src/registry/drivers/file/settings.ts';

describe('parseFileUrl', () => {
  it('has a default directory of its own for each user', () => {
    const { directory, guarded, shared } = parseFileUrl('file:');
    assert.match(directory, /\/outrigger-[^/]+\/v1$/);
    assert.deepEqual(guarded, [directory.replace(/\/v1$/, ''), directory]);
    assert.equal(shared, false);
    assert.equal(parseFileUrl('file:?ttl=3s').directory, directory);
  });

  it('reads another directory and the parameters', () => {
    const url = 'file:///run/my%20registry/?ttl=9s&heartbeat=2s&poll=100ms&shared=1';
    assert.deepEqual(parseFileUrl(url), {
      url: 'file:///run/my%20registry',
      directory: '/run/my registry',
      guarded: ['/run/my registry'],
      shared: true,
      ttlMs: 9000,
      heartbeatMs: 2000,
      pollMs: 100,
    });
  });

  it('keeps the heartbeat at a third of the TTL unless both are given', () => {
    const timing = (query: string): readonly number[] => {
      const { ttlMs, heartbeatMs } = parseFileUrl(`file:///dir${query}`);
      return [ttlMs, heartbeatMs];
    };
    assert.deepEqual(timing(''), [6000, 2000]);
    assert.deepEqual(timing('?ttl=3s'), [3000, 1000]);
    assert.deepEqual(timing('?heartbeat=3s'), [9000, 3000]);
  });

  it('refuses what it cannot mean', () => {
    const refusals: readonly (readonly [string, RegExp])[] = [
      ['file://run/dir', /three slashes: file:\/\/\/run\/dir/],
      ['file:///', /names no directory/],
      ['file:?shared=1', /needs a directory of its own/],
      ['file:///dir?tll=3s', /did you mean "ttl"/],
      ['file:///dir?ttl=0', /"ttl" must not be 0/],
      ['file:///dir?ttl=10s&heartbeat=9s', /at most half of ttl, but is 9s of 10s/],
      ['file:///dir?poll=soon', /must be a duration/],
    ];
    for (const [url, message] of refusals) {
      assert.throws(() => parseFileUrl(url), { code: 'config_invalid', message }, url);
    }
  });
});
