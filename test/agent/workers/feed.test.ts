// A Supply and a FedSource joined as by a process's channel: what a worker sees of the registry.
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { FedSource } from '../../../src/agent/workers/fed-source.ts';
import type { FromWorker, ToWorker } from '../../../src/agent/workers/messages.ts';
import { Supply } from '../../../src/agent/workers/supply.ts';
import { RegistryError } from '../../../src/core/errors.ts';
import { makeSnapshot, type Snapshot } from '../../../src/core/snapshot.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { instance } from '../../support/upstream-fixture.ts';

/** A registry whose snapshots the test sets. */
class Source {
  readonly watchers = new Map<string, (snapshot: Snapshot) => void>();
  readonly #snapshots = new Map<string, Snapshot>();
  failure: string | undefined;

  trouble(): string | undefined {
    return this.failure;
  }

  watch(service: string, onSnapshot: (snapshot: Snapshot) => void, signal: AbortSignal): void {
    this.watchers.set(service, onSnapshot);
    signal.addEventListener('abort', () => this.watchers.delete(service));
    const current = this.#snapshots.get(service);
    if (current !== undefined) onSnapshot(current);
  }

  snapshot(service: string): Snapshot | undefined {
    return this.#snapshots.get(service);
  }

  /** Confirms the list; watchers hear of it only when it has changed, as with a Registry. */
  set(service: string, ids: readonly string[], confirmedAtMs: number): void {
    const instances = ids.map((id) => instance(id, { service }));
    const snapshot = makeSnapshot({ service, state: 'live', instances, confirmedAtMs, held: 0 });
    const before = this.#snapshots.get(service);
    this.#snapshots.set(service, snapshot);
    if (before?.hash !== snapshot.hash) this.watchers.get(service)?.(snapshot);
  }
}

describe('the feeding of a worker', () => {
  let control: FakeClock;
  let worker: FakeClock;
  let source: Source;
  let fed: FedSource;
  let supply: Supply;
  let sent: { message: ToWorker; onSent: () => void }[];
  let asked: FromWorker[];
  let seen: string[];
  let watching: AbortController;

  beforeEach(async () => {
    control = new FakeClock();
    worker = new FakeClock();
    // Monotonic clocks of two processes have nothing to do with each other.
    await worker.advance(77_000);
    source = new Source();
    sent = [];
    asked = [];
    seen = [];
    watching = new AbortController();
    const send = (message: ToWorker, onSent: () => void): void =>
      void sent.push({ message, onSent });
    supply = new Supply({ source, clock: control, send });
    fed = new FedSource({
      clock: worker,
      send: (message) => {
        asked.push(message);
        if (message.kind === 'watch') supply.watch(message.service);
        if (message.kind === 'unwatch') supply.unwatch(message.service);
      },
    });
  });

  /** Carries over what is on its way, as JSON; returns the kinds. */
  function deliver(): string[] {
    const kinds: string[] = [];
    for (let next = sent.shift(); next !== undefined; next = sent.shift()) {
      const message = JSON.parse(JSON.stringify(next.message)) as ToWorker;
      kinds.push(message.kind);
      if (message.kind === 'snapshots') fed.take(message.snapshots);
      if (message.kind === 'confirmed') fed.confirm(message.ages, message.trouble);
      next.onSent();
    }
    return kinds;
  }

  function watch(service = 'payments'): void {
    const onSnapshot = ({ state, instances }: Snapshot): void =>
      void seen.push([state, ...instances.map(({ id }) => id)].join(' '));
    fed.watch(service, onSnapshot, watching.signal);
  }

  it('begins with a list that is not known, and goes on with the registry’s', () => {
    source.set('payments', ['a1'], 0);
    watch();
    assert.deepEqual(seen, ['unknown']);
    deliver();
    source.set('payments', ['a1', 'a2'], 0);
    deliver();
    assert.deepEqual(seen, ['unknown', 'live a1', 'live a1 a2']);
    assert.equal(fed.snapshot('payments')?.hash, source.snapshot('payments')?.hash);
  });

  it('sends one message at a time, and then only the latest list', () => {
    watch();
    for (const ids of [['a1'], ['a1', 'a2'], ['a2'], ['a3']]) source.set('payments', ids, 0);
    assert.equal(sent.length, 1);
    assert.deepEqual(deliver(), ['snapshots', 'snapshots']);
    assert.deepEqual(seen, ['unknown', 'live a1', 'live a3']);
  });

  it('tells the age of a list by the clock of each process', async () => {
    source.set('payments', ['a1'], control.nowMs());
    await control.advance(400);
    watch();
    deliver();
    const ageMs = (): number => worker.nowMs() - (fed.snapshot('payments')?.confirmedAtMs ?? 0);
    assert.equal(ageMs(), 400);
    await worker.advance(1000);
    source.set('payments', ['a1'], control.nowMs() + 900);
    await control.advance(1000);
    assert.deepEqual(deliver(), ['confirmed']);
    assert.equal(ageMs(), 100);
    assert.deepEqual(seen, ['unknown', 'live a1'], 'a confirmation is no change');
    await control.advance(5000);
    assert.deepEqual(deliver(), [], 'nothing was confirmed');
  });

  it('tells why the registry cannot be asked, once, and when that is over', async () => {
    source.failure = 'connect ECONNREFUSED';
    watch();
    assert.equal(fed.trouble(), undefined);
    await control.advance(1000);
    assert.deepEqual(deliver(), ['confirmed']);
    assert.equal(fed.trouble(), 'connect ECONNREFUSED');
    await control.advance(5000);
    assert.deepEqual(deliver(), []);
    source.failure = undefined;
    await control.advance(1000);
    assert.deepEqual(deliver(), ['confirmed']);
    assert.equal(fed.trouble(), undefined);
  });

  it('ends with the watch, and leaves nothing behind', async () => {
    source.set('payments', ['a1'], 0);
    watch();
    deliver();
    watching.abort();
    assert.equal(source.watchers.size, 0);
    assert.equal(fed.snapshot('payments'), undefined);
    await control.advance(2000);
    assert.equal(control.pendingTimers, 0);
    watching = new AbortController();
    watch();
    supply.close();
    assert.equal(source.watchers.size, 0);
    assert.equal(control.pendingTimers, 0);
  });

  it('asks for the names once, whoever wants them', async () => {
    const both = [fed.names(), fed.names()];
    assert.deepEqual(asked, [{ kind: 'names', id: 1 }]);
    fed.answerNames(1, ['a', 'b']);
    assert.deepEqual(await Promise.all(both), [
      ['a', 'b'],
      ['a', 'b'],
    ]);
    const failing = fed.names();
    fed.answerNames(1, ['late']);
    fed.answerNames(2, null);
    await assert.rejects(failing, RegistryError);
  });
});
