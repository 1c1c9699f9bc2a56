// A fleet moves from Eureka to Consul with no downtime.
import { describe, it } from 'node:test';
import { requireConsul, startConsul } from '../servers/consul.ts';
import { requireEureka, startEureka } from '../servers/eureka.ts';
import { moveFleet } from './moving-fleet.ts';

describe(
  'a fleet of three services under load',
  { skip: requireEureka() ?? requireConsul() },
  () => {
    it('moves from Eureka to Consul, and no call fails', async (t) => {
      const [eureka, consul] = await Promise.all([startEureka(), startConsul()]);
      t.after(() => Promise.all([eureka.stop(), consul.stop()]));
      // Others learn of a departure with their next poll.
      const flags = ['--drain-delay', '2s'];
      await moveFleet(t, { from: `${eureka.url}?poll=1s`, to: consul.url, flags });
    });
  },
);
