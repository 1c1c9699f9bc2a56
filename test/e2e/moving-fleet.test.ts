// A fleet changes its registry with no downtime.
import { describe, it } from 'node:test';
import { requireRedis, startRedis } from '../servers/redis.ts';
import { Fleet } from './agent-process.ts';
import { moveFleet } from './moving-fleet.ts';

describe('a fleet of three services under load', { skip: requireRedis() }, () => {
  it('moves from file: to redis:, and no call fails', async (t) => {
    const redis = await startRedis();
    t.after(() => redis.stop());
    await moveFleet(t, { from: new Fleet(t).fileRegistry, to: redis.url });
  });
});
