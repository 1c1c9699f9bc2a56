import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Instance } from '../../../../src/core/instance.ts';
import type { Reading } from '../../../../src/registry/driver.ts';
import { formatArrival } from '../../../../src/registry/drivers/hydra/changes.ts';
import { Commands } from '../../../../src/registry/drivers/hydra/commands.ts';
import { Fleet } from '../../../../src/registry/drivers/hydra/fleet.ts';
import { Follower } from '../../../../src/registry/drivers/hydra/follower.ts';
import { hydraIdOf } from '../../../../src/registry/drivers/hydra/keys.ts';
import { formatNode } from '../../../../src/registry/drivers/hydra/node-record.ts';
import { Queries } from '../../../../src/registry/drivers/hydra/queries.ts';
import { Subscriptions } from '../../../../src/registry/drivers/redis/subscriptions.ts';
import { FakeClock, settle } from '../../../support/fake-clock.ts';
import { FakeServer } from '../redis/fake-port.ts';
import { idsOf, instance } from '../redis/fixture.ts';

const channel = 'changes';

/** A Redis whose fleet has these instances, all present, and a follower of `payments` that begins with a1. */
class Scene {
  readonly clock = new FakeClock();
  readonly server = new FakeServer();
  readonly instances: Instance[] = [instance('a1')];
  readonly readings: Reading[] = [];
  confirmations = 0;
  looks = 0;
  /** How long Redis takes for an answer. */
  answerMs = 0;
  ending: unknown;
  readonly #abort = new AbortController();

  start(): Promise<void> {
    const { clock, server } = this;
    const open: typeof server.open = async (events, signal) => {
      const port = await server.open(events, signal);
      server.port.answer = (name, args) => this.#answer(name, args);
      return port;
    };
    const deps = { clock, random: (): number => 0.5, open };
    const commands = new Commands(deps, { timeoutMs: 2000 });
    const queries = new Queries(commands);
    const subscriptions = new Subscriptions(deps, { timeoutMs: 2000, pingEveryMs: 1000 });
    let versions = 0;
    const sink = {
      changed: (reading: Reading): void => void this.readings.push(reading),
      confirmed: (): void => {
        this.confirmations++;
      },
    };
    const follower = new Follower(
      {
        ...deps,
        commands,
        queries,
        subscriptions,
        sink,
        fleet: new Fleet({ queries, clock }),
        leaseMs: 3000,
        nextVersion: () => String(++versions),
      },
      {
        service: 'payments',
        channel,
        from: { instances: [instance('a1')], version: '0', malformed: 0 },
        pollMs: 1000,
      },
    );
    void follower.run(this.#abort.signal).then(
      () => {
        this.ending = 'done';
      },
      (error: unknown) => {
        this.ending = error;
      },
    );
    return settle();
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await settle();
  }

  hear(text: string): void {
    this.server.ports[0]?.events.message(channel, text);
  }

  async #answer(name: string, args: readonly string[]): Promise<unknown> {
    const byId = new Map(
      this.instances.map((item) => [hydraIdOf('payments', item.id), formatNode(item, 0)]),
    );
    if (name === 'HLEN') {
      this.looks++;
      if (this.answerMs > 0) await this.clock.sleep(this.answerMs);
      return byId.size;
    }
    if (name === 'MGET') return args.map((key) => (byId.has(key.split(':')[3] ?? '') ? 'x' : null));
    if (name === 'HMGET') return args.slice(1).map((id) => byId.get(id) ?? null);
    if (name === 'HSCAN') return ['0', [...byId].flat()];
    return 'OK';
  }
}

describe('following a service of a Hydra fleet', () => {
  it('looks at once and then about every second, and tells what changed', async () => {
    const scene = new Scene();
    await scene.start();
    assert.equal(scene.confirmations, 1);
    scene.instances.push(instance('a2'));
    await scene.clock.advance(1000);
    assert.deepEqual(idsOf(scene.readings.at(-1)), ['a1', 'a2']);
    scene.instances.shift();
    await scene.clock.advance(1000);
    assert.deepEqual(idsOf(scene.readings.at(-1)), ['a2']);
    await scene.stop();
    assert.equal(scene.ending, 'done');
    assert.equal(scene.server.ports[0]?.commands.at(-1), `UNSUBSCRIBE ${channel}`);
  });

  it('tells what it hears at once, and looks soon when it does not understand', async () => {
    const scene = new Scene();
    await scene.start();
    scene.hear(formatArrival(instance('a3')));
    assert.deepEqual(idsOf(scene.readings.at(-1)), ['a1', 'a3']);
    const { looks } = scene;
    scene.hear('?');
    await scene.clock.advance(300);
    assert.ok(scene.looks > looks);
    await scene.stop();
  });

  it('does not believe an answer that took half of a lease', async () => {
    const scene = new Scene();
    await scene.start();
    scene.answerMs = 1600;
    scene.instances.pop();
    await scene.clock.advance(1000 + 1600);
    assert.equal((scene.ending as { readonly code?: string }).code, 'registry_timeout');
    assert.deepEqual(scene.readings, []);
  });

  it('ends when its channel is lost', async () => {
    const scene = new Scene();
    await scene.start();
    scene.server.ports[0]?.events.lost(new Error('reset'));
    await settle();
    assert.equal((scene.ending as { readonly code?: string }).code, 'registry_unreachable');
  });

  it('says when a loss proves nothing: most of the fleet is gone', async () => {
    const scene = new Scene();
    scene.instances.push(instance('a2'), instance('a3'));
    await scene.start();
    scene.instances.splice(0, 2);
    await scene.clock.advance(1000);
    assert.deepEqual(idsOf(scene.readings.at(-1)), ['a3']);
    assert.equal(scene.readings.at(-1)?.reset, true);
    await scene.stop();
  });
});
