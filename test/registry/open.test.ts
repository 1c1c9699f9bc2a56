// From a registry URL to its driver.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ConfigError } from '../../src/core/errors.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { openDriver } from '../../src/registry/open.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { seededRandom } from '../support/seeded-random.ts';

const deps = { clock: new FakeClock(), random: seededRandom(1), logger: silentLogger };

async function refusal(url: string): Promise<string> {
  try {
    await openDriver(url, deps);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.message;
  }
  return assert.fail(`opened ${url}`);
}

describe('openDriver', () => {
  it('opens the driver of the scheme without connecting', async () => {
    const driver = await openDriver('redis://:secret@127.0.0.1:1/0', deps);
    assert.doesNotMatch(driver.url, /secret/);
    await driver.close();
    assert.equal(deps.clock.pendingTimers, 0);
  });

  it('names the nearest scheme of an unknown one', async () => {
    assert.match(
      await refusal('reddis://h:1'),
      /unknown scheme "reddis:"; did you mean "redis:"\?/,
    );
    assert.match(await refusal('zookeeper://h:1'), /valid are file:, redis:, rediss:/);
    assert.match(await refusal('localhost'), /not a URL; valid are/);
  });

  it('offers no scheme that is refused, and says of such a one why', async () => {
    assert.match(await refusal('localhost'), /hydra\+redis:, hydra\+rediss:, etcd:/);
    assert.match(await refusal('hydra+redis+cluster://h'), /Hydra cannot use a Redis Cluster/);
    assert.match(await refusal('hydra+redis+sentinel://h'), /Hydra knows no Sentinels/);
    assert.doesNotMatch(await refusal('hydra+redis+clusters://h'), /"hydra\+redis\+cluster:"/);
  });

  it('shows no password in its errors', async () => {
    assert.doesNotMatch(await refusal('reddis://u:geheim@h:1'), /geheim/);
  });
});
