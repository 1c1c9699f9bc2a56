import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { Commands } from '../../../../src/registry/drivers/hydra/commands.ts';
import { Fleet } from '../../../../src/registry/drivers/hydra/fleet.ts';
import { Queries } from '../../../../src/registry/drivers/hydra/queries.ts';
import { FakeClock, settle } from '../../../support/fake-clock.ts';
import { FakeServer } from '../redis/fake-port.ts';

describe('the index of a fleet', () => {
  let clock: FakeClock;
  let nodes: Map<string, string>;
  let scans: number;
  let fleet: Fleet;

  beforeEach(() => {
    clock = new FakeClock();
    nodes = new Map([
      ['a', '{"serviceName":"payments"}'],
      ['b', '{"serviceName":"orders"}'],
      ['c', '{"serviceName":"payments"}'],
      ['d', 'no json'],
    ]);
    scans = 0;
    const server = new FakeServer();
    const open: typeof server.open = async (events, signal) => {
      const port = await server.open(events, signal);
      server.port.answer = async () => {
        scans++;
        // Redis may give a field twice.
        return ['0', [...nodes, ...nodes].flat()];
      };
      return port;
    };
    const commands = new Commands({ clock, random: () => 0.5, open }, { timeoutMs: 1000 });
    fleet = new Fleet({ queries: new Queries(commands), clock });
  });

  it('knows the ids of each service, and those whose record names none', async () => {
    const { count, services, unnamed } = await fleet.read();
    assert.equal(count, 4);
    assert.deepEqual(
      [...services],
      [
        ['payments', ['a', 'c']],
        ['orders', ['b']],
      ],
    );
    assert.deepEqual(unnamed, ['d']);
  });

  it('is read again when the number of records has changed, but not too often', async () => {
    const first = await fleet.current(4);
    assert.equal(await fleet.current(4), first);
    nodes.set('e', '{"serviceName":"payments"}');
    assert.equal(await fleet.current(5), first);
    await clock.advance(200);
    const second = await fleet.current(5);
    assert.equal(second.count, 5);
    assert.equal(await fleet.current(5), second);
    assert.equal(scans, 2);
  });

  it('is read again after a while in any case', async () => {
    const first = await fleet.current(4);
    await clock.advance(9900);
    assert.equal(await fleet.current(4), first);
    await clock.advance(100);
    assert.notEqual(await fleet.current(4), first);
  });

  it('is read once for all who ask while it is being read', async () => {
    const running = fleet.read();
    const waiting = [fleet.read(), fleet.read(), fleet.current(4)];
    await running;
    nodes.set('e', '{"serviceName":"payments"}');
    await settle();
    const [first, ...others] = await Promise.all(waiting);
    for (const other of others) assert.equal(other, first);
    assert.equal(scans, 2);
  });
});
