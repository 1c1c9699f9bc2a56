import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatInstance } from '../../../../src/core/instance.ts';
import type { Reading } from '../../../../src/registry/driver.ts';
import { Follower } from '../../../../src/registry/drivers/redis/follower.ts';
import type { SnapshotReply } from '../../../../src/registry/drivers/redis/service-list.ts';
import { Subscriptions } from '../../../../src/registry/drivers/redis/subscriptions.ts';
import { FakeClock, settle } from '../../../support/fake-clock.ts';
import { FakeServer, forever } from './fake-port.ts';
import { idsOf, instance } from './fixture.ts';

const channel = 'sd:{payments}:c';

interface Scene {
  readonly clock: FakeClock;
  readonly server: FakeServer;
  readonly changes: Reading[];
  readonly looks: string[];
  confirmations: number;
  /** What the next looks answer. */
  look: (known: string) => Promise<SnapshotReply>;
  readonly abort: AbortController;
  readonly subscriptions: Subscriptions;
  ending: unknown;
  hear(pv: number, v: number, content: object): void;
}

function unchanged(number: number, dueMs?: number): SnapshotReply {
  return { version: { epoch: '7', number: String(number) }, dueMs, leaseMs: 9000 };
}

function listed(number: number, ...ids: readonly string[]): SnapshotReply {
  const records = ids.flatMap((id) => [id, formatInstance(instance(id))]);
  return { ...unchanged(number), list: { records, left: [] } };
}

/** Follows `payments` from version 10 with the instance a1. */
async function follow(prepare: (scene: Scene) => void = () => undefined): Promise<Scene> {
  const clock = new FakeClock();
  const server = new FakeServer();
  const random = (): number => 0.5;
  const subscriptions = new Subscriptions(
    { clock, random, open: server.open },
    { timeoutMs: 2000, pingEveryMs: 3000 },
  );
  const scene: Scene = {
    clock,
    server,
    subscriptions,
    changes: [],
    looks: [],
    confirmations: 0,
    look: () => Promise.resolve(unchanged(10)),
    abort: new AbortController(),
    ending: undefined,
    hear: (pv, v, content) => {
      const text = JSON.stringify({ e: '7', v: String(v), pv: String(pv), ...content });
      server.port.events.message(channel, text);
    },
  };
  prepare(scene);
  const follower = new Follower(
    {
      clock,
      random,
      subscriptions,
      look: (known) => {
        scene.looks.push(known.number);
        return scene.look(known.number);
      },
      sink: {
        changed: (reading) => void scene.changes.push(reading),
        confirmed: () => {
          scene.confirmations++;
        },
      },
    },
    {
      service: 'payments',
      channel,
      from: { instances: [instance('a1')], version: '7-10', malformed: 0 },
      ttlMs: 9000,
    },
  );
  follower.run(scene.abort.signal).then(
    () => (scene.ending = 'done'),
    (error: unknown) => (scene.ending = error),
  );
  await settle();
  return scene;
}

describe('a follower', () => {
  it('subscribes first and then looks for what it missed', async () => {
    const scene = await follow((it) => (it.look = () => Promise.resolve(listed(11, 'a1', 'a2'))));
    assert.deepEqual(scene.server.port.commands, [`SUBSCRIBE ${channel}`]);
    assert.deepEqual(scene.looks, ['10']);
    assert.deepEqual(idsOf(scene.changes[0]), ['a1', 'a2']);
    assert.equal(scene.confirmations, 0);
  });

  it('passes announced changes on without asking', async () => {
    const scene = await follow();
    scene.hear(10, 11, { set: { a2: formatInstance(instance('a2')) } });
    scene.hear(11, 12, { del: ['a1'], why: 'left' });
    assert.deepEqual(scene.changes.map(idsOf), [['a1', 'a2'], ['a2']]);
    assert.deepEqual(scene.looks, ['10']);
  });

  it('looks soon, once, after changes that it missed', async () => {
    const scene = await follow();
    scene.look = () => Promise.resolve(listed(20, 'a9'));
    scene.hear(15, 19, { del: ['x'], why: 'left' });
    scene.hear(19, 20, { del: ['y'], why: 'left' });
    await scene.clock.advance(19);
    assert.equal(scene.looks.length, 1);
    await scene.clock.advance(300);
    assert.deepEqual(scene.looks, ['10', '10']);
    assert.deepEqual(scene.changes.map(idsOf), [['a9']]);
  });

  it('looks just after the next lease would end, and at least three times a lease', async () => {
    const scene = await follow((it) => (it.look = () => Promise.resolve(unchanged(10, 1000))));
    scene.look = () => Promise.resolve(unchanged(10, 8000));
    await scene.clock.advance(1000);
    assert.equal(scene.looks.length, 1);
    await scene.clock.advance(300);
    assert.equal(scene.looks.length, 2);
    await scene.clock.advance(3300);
    assert.equal(scene.looks.length, 3);
    assert.equal(scene.confirmations, 3);
  });

  it('ignores an answer that announced changes have overtaken', async () => {
    let answer: (reply: SnapshotReply) => void = () => undefined;
    const late = new Promise<SnapshotReply>((resolve) => (answer = resolve));
    const scene = await follow((it) => (it.look = () => late));
    scene.hear(10, 12, { set: { a2: formatInstance(instance('a2')) } });
    answer(listed(11, 'a1'));
    await settle();
    assert.deepEqual(scene.changes.map(idsOf), [['a1', 'a2']]);
  });

  it('takes an older list when nothing was announced since: the server went back', async () => {
    const scene = await follow((it) => (it.look = () => Promise.resolve(listed(5, 'a5'))));
    assert.deepEqual(scene.changes.map(idsOf), [['a5']]);
  });

  it('rejects as soon as the connection is lost', async () => {
    const scene = await follow();
    scene.server.port.events.lost(new Error('connection closed'));
    await settle();
    assert.equal((scene.ending as { code: string }).code, 'registry_unreachable');
    assert.equal(scene.clock.pendingTimers, 0);
  });

  it('rejects when the subscribed connection does not answer any more', async () => {
    const scene = await follow();
    await scene.clock.advance(7000);
    assert.deepEqual(scene.server.port.commands.slice(1), ['PING', 'PING']);
    scene.server.port.answer = () => forever;
    await scene.clock.advance(5000);
    assert.equal((scene.ending as { code: string }).code, 'registry_timeout');
    assert.equal(scene.server.port.closed, true);
    assert.equal(scene.clock.pendingTimers, 0);
  });

  it('rejects when a look fails', async () => {
    const scene = await follow();
    const failure = new Error('no');
    scene.look = () => Promise.reject(failure);
    await scene.clock.advance(3300);
    assert.equal(scene.ending, failure);
    assert.deepEqual(scene.server.port.commands.at(-1), `UNSUBSCRIBE ${channel}`);
  });

  it('ends with its signal, in any state, and leaves no timer', async () => {
    const resting = await follow();
    resting.abort.abort();
    await settle();
    assert.equal(resting.ending, 'done');
    assert.equal(resting.clock.pendingTimers, 0);

    const connecting = await follow((it) => (it.server.silent = true));
    connecting.abort.abort();
    await settle();
    assert.equal(connecting.ending, 'done');
    await connecting.subscriptions.close();
    assert.equal(connecting.clock.pendingTimers, 0);
  });
});
