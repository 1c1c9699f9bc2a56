// Two registries of which the second stands in for the first: `--registry-mode first-healthy`.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { requireRedis, startRedis } from '../servers/redis.ts';
import { eventually } from '../support/eventually.ts';
import { Fleet } from './agent-process.ts';
import { Load, requestJson } from './http-client.ts';

const times = '?ttl=3s&heartbeat=1s';
const callsPerSecond = 50;
const inFirst = ['first-1', 'first-2'];
const inSecond = ['second-1', 'second-2'];
const all = [...inFirst, ...inSecond];

describe('--registry-mode first-healthy', { skip: requireRedis() }, () => {
  it('calls the instances of the second registry only while the first is away or has none', async (t) => {
    const [first, second] = await Promise.all([startRedis(), startRedis()]);
    t.after(() => Promise.all([first.stop(), second.stop()]));
    const fleet = new Fleet(t);
    const start = (registry: string) => (name: string) =>
      fleet.startRegistered({ service: 'payments', name, registry: `${registry}${times}` });
    const agents = await Promise.all(inFirst.map(start(first.url)));
    await Promise.all(inSecond.map(start(second.url)));
    const caller = await fleet.start({
      registry: `${first.url}${times}`,
      flags: ['--registry', `${second.url}${times}`, '--registry-mode', 'first-healthy'],
    });
    const call = { port: caller.proxyPort, path: '/payments/' };
    // Until the first has answered, the second may stand in for it.
    await eventually('the list is that of the first', async () => {
      const { name } = (await requestJson(call)).body as { readonly name?: string };
      return name !== undefined && inFirst.includes(name);
    });
    const load = new Load(t, callsPerSecond, () => call);

    /** All of these serve, and from then on nobody else. */
    const onlyServe = async (names: readonly string[]): Promise<void> => {
      load.served.clear();
      await eventually(`${names.join()} serve`, () => names.every((one) => load.served.has(one)));
      const from = load.sent;
      await eventually('a second of calls', () => load.sent > from + callsPerSecond);
      for (const name of all.filter((other) => !names.includes(other))) {
        const late = numbersIn(fleet.ledger(name)).filter((number) => number >= from);
        assert.deepEqual(late, [], name);
      }
    };
    await onlyServe(inFirst);
    assert.deepEqual(
      inSecond.flatMap((name) => fleet.ledger(name)),
      [],
    );
    first.pause();
    await onlyServe(inSecond);
    first.resume();
    await onlyServe(inFirst);
    await first.restartEmpty();
    await onlyServe(inFirst);
    for (const agent of agents) agent.process.kill('SIGTERM');
    await onlyServe(inSecond);
    await load.stop();

    assert.deepEqual(load.failures, []);
    const answered = new Set(all.flatMap((name) => numbersIn(fleet.ledger(name))));
    assert.equal(answered.size, load.sent);
  });
});

/** Of the calls; each line of a ledger is a method and a number. */
function numbersIn(ledger: readonly string[]): readonly number[] {
  return ledger.map((line) => Number(line.split(' ')[1]));
}
