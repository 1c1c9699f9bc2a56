import assert from 'node:assert/strict';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  watch,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { Instance } from '../../src/core/instance.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { makeSnapshot, type SnapshotState } from '../../src/core/snapshot.ts';
import { SnapshotFiles } from '../../src/upstream/snapshot-files.ts';
import { eventually } from '../support/eventually.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { instance } from '../support/upstream-fixture.ts';

describe('SnapshotFiles', () => {
  const clock = new FakeClock();
  let directory = '';

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'outrigger-snapshots-'));
  });
  afterEach(() => {
    rmSync(directory, { recursive: true, force: true });
  });

  function files(registryUrl = 'redis://127.0.0.1/0'): SnapshotFiles {
    return new SnapshotFiles({ clock, logger: silentLogger }, { directory, registryUrl });
  }

  function snapshot(instances: readonly Instance[], state: SnapshotState = 'live') {
    return makeSnapshot({
      service: 'payments',
      state,
      instances,
      confirmedAtMs: clock.nowMs(),
      held: 0,
    });
  }

  it('gives a later agent what the last one knew, and since when', async () => {
    const before = files();
    before.save(snapshot([instance('a1', { tags: ['v2'], meta: { team: 'x' } }), instance('a2')]));
    const confirmedAtWallMs = Math.round(clock.wallMs());
    await clock.advance(100);
    await before.close();
    const stored = files().load('payments');
    assert.deepEqual(
      stored?.instances.map(({ id, tags }) => [id, tags]),
      [
        ['a1', ['v2']],
        ['a2', []],
      ],
    );
    assert.equal(stored.savedAtWallMs, confirmedAtWallMs);
  });

  it('keeps registries apart and the directory private', async () => {
    const one = files('redis://one');
    one.save(snapshot([instance('a1')]));
    await one.close();
    assert.equal(files('redis://other').load('payments'), undefined);
    const [made = ''] = readdirSync(directory);
    assert.equal(statSync(join(directory, made)).mode & 0o777, 0o700);
  });

  it('does not replace what is stored by a list that is not live', async () => {
    const store = files();
    store.save(snapshot([instance('a1')]));
    store.save(snapshot([], 'unknown'));
    store.save(snapshot([instance('a1'), instance('a2')], 'stale'));
    await store.close();
    assert.equal(files().load('payments')?.instances.length, 1);
  });

  it('forgets a service that has no instances any more', async () => {
    const store = files();
    store.save(snapshot([instance('a1')]));
    await store.close();
    store.save(snapshot([]));
    await store.close();
    assert.equal(files().load('payments'), undefined);
  });

  it('leaves no part of a file that could not be written to its end', async () => {
    const store = files();
    store.save(snapshot([instance('a1')]));
    await store.close();
    const [made = ''] = readdirSync(directory);
    rmSync(join(directory, made, 'payments.json'));
    mkdirSync(join(directory, made, 'payments.json'));
    store.save(snapshot([instance('a2')]));
    await store.close();
    assert.deepEqual(readdirSync(join(directory, made)), ['payments.json']);
  });

  it('writes in files of its own beside another agent with the same pid', async (t) => {
    const before = files();
    before.save(snapshot([instance('a1')]));
    await before.close();
    const [made = ''] = readdirSync(directory);
    const seen = new Set<string>();
    const watcher = watch(join(directory, made), (_event, name) => {
      if (name?.endsWith('.partial') === true) seen.add(name);
    });
    t.after(() => watcher.close());
    for (const store of [files(), files()]) {
      store.save(snapshot([instance('a2')]));
      await store.close();
    }
    await eventually('both have written', () => seen.size === 2);
  });

  it('has nothing rather than failing when the files are broken or the disk refuses', async () => {
    const store = files();
    store.save(snapshot([instance('a1')]));
    await store.close();
    const [made = ''] = readdirSync(directory);
    writeFileSync(join(directory, made, 'payments.json'), '{"instances":[{"id":1},');
    assert.equal(files().load('payments'), undefined);
    writeFileSync(join(directory, made, 'payments.json'), '[]');
    assert.equal(files().load('payments'), undefined);

    const blocked = join(directory, 'blocked');
    writeFileSync(blocked, '');
    chmodSync(blocked, 0o400);
    const refused = new SnapshotFiles(
      { clock, logger: silentLogger },
      { directory: blocked, registryUrl: 'file:' },
    );
    refused.save(snapshot([instance('a1')]));
    await refused.close();
    assert.equal(refused.load('payments'), undefined);
  });
});
