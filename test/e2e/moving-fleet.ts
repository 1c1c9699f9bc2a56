// A running fleet of three services that moves from one registry to another under load.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { Fleet, untilReady, type RunningAgent } from './agent-process.ts';
import { Load } from './http-client.ts';

export interface Move {
  /** Registry URLs. */
  readonly from: string;
  readonly to: string;
  /** Further flags of each agent, such as a lame-duck time that fits the slower registry. */
  readonly flags?: readonly string[];
}

const services = ['payments', 'users'];
const callsPerSecond = 60;
const patient = { deadlineMs: 40_000 };

/**
 * Each agent is replaced twice, one of a service at a time: first by one that registers in both registries and finds instances in both,
 * then by one that knows the new registry alone. Calls go from `orders` to the two others all the time; none may fail.
 */
export async function moveFleet(t: TestContext, { from, to, flags = [] }: Move): Promise<void> {
  const fleet = new Fleet(t);
  const start = async (service: string, name: string, registries: readonly string[]) => {
    const [registry = '', ...others] = registries;
    const more = others.flatMap((url) => ['--registry', url]);
    return fleet.startRegistered({ service, name, registry, flags: [...more, ...flags] });
  };
  const callees = services.flatMap((service) => [1, 2].map((n) => ({ service, n })));
  const agents = new Map<string, RunningAgent>();
  await Promise.all(
    callees.map(async ({ service, n }) => {
      agents.set(`${service}-${n}`, await start(service, `${service}-${n} old`, [from]));
    }),
  );
  let orders = await start('orders', 'orders old', [from]);
  const load = new Load(t, callsPerSecond, (number) => ({
    port: orders.proxyPort,
    path: `/${services[number % services.length] ?? ''}/`,
    method: number % 3 === 0 ? 'POST' : 'GET',
  }));
  const servedBy = (stage: string): Promise<unknown> =>
    eventually(
      `all of ${stage} serve`,
      () => callees.every(({ service, n }) => load.served.has(`${service}-${n} ${stage}`)),
      patient,
    );
  await servedBy('old');

  for (const [stage, registries] of [
    ['both', [from, to]],
    ['new', [to]],
  ] as const) {
    const replace = async (name: string, service: string): Promise<void> => {
      const next = await start(service, `${name} ${stage}`, registries);
      await eventually(
        `${name} ${stage} serves`,
        () => load.served.has(`${name} ${stage}`),
        patient,
      );
      await stop(agents.get(name));
      agents.set(name, next);
    };
    for (const n of [1, 2]) {
      await Promise.all(services.map((service) => replace(`${service}-${n}`, service)));
    }
    // The caller moves last, and calls nothing that it cannot find yet.
    const next = await start('orders', `orders ${stage}`, registries);
    await untilReady(next);
    const before = orders;
    orders = next;
    await stop(before);
  }
  load.served.clear();
  await servedBy('new');
  await load.stop();
  assert.deepEqual(load.failures, []);
  assert.ok(load.sent > callsPerSecond, 'there was load');
}

async function stop(agent: RunningAgent | undefined): Promise<void> {
  assert.ok(agent !== undefined);
  agent.process.kill('SIGTERM');
  assert.equal(await agent.exited, 0, agent.output());
}
