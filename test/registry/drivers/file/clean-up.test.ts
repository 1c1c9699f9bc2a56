// What the clean-up removes, and what it leaves.
import assert from 'node:assert/strict';
import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { systemClock } from '../../../../src/core/clock.ts';
import { CleanUp } from '../../../../src/registry/drivers/file/clean-up.ts';
import { Layout } from '../../../../src/registry/drivers/file/layout.ts';
import { ServerTime } from '../../../../src/registry/drivers/file/server-time.ts';
import { instanceOf } from '../../../support/scripted-driver.ts';
import { calm, FileRegistry, service } from './fixture.ts';

const ttlMs = 6000;

async function prepare(
  t: TestContext,
): Promise<{ registry: FileRegistry; layout: Layout; cleanUp: CleanUp }> {
  const registry = await FileRegistry.make(t);
  const { directory } = registry;
  const layout = new Layout({ directory, guarded: [directory], shared: false, mustExist: false });
  const deps = { clock: systemClock, layout, uniqueName: () => 'now' };
  const serverTime = new ServerTime(deps, layout.temporary);
  t.after(() => serverTime.close());
  return { registry, layout, cleanUp: new CleanUp({ ...deps, serverTime }) };
}

/** Makes all files in the folder look that old. */
async function age(folder: string, ageMs: number, names?: readonly string[]): Promise<void> {
  const at = new Date(Date.now() - ageMs);
  for (const name of names ?? (await readdir(folder))) await utimes(join(folder, name), at, at);
}

describe('clean-up', () => {
  it('removes records whose last heartbeat is ten lease times old, and no others', async (t) => {
    const { registry, cleanUp } = await prepare(t);
    const driver = registry.open();
    for (const id of ['alive', 'silent', 'dead']) await driver.acquire(instanceOf(id), ttlMs, calm);
    const records = registry.path('svc', service);
    const beats = registry.path('hb', service);
    await age(records, 70_000);
    await age(beats, 50_000, ['silent.json']);
    await age(beats, 61_000, ['dead.json']);
    await cleanUp.run(calm);
    assert.deepEqual(await readdir(records), ['alive.json', 'silent.json']);
    assert.deepEqual(await readdir(beats), ['alive.json', 'silent.json']);
  });

  it('leaves a record that was written anew, however old its heartbeat', async (t) => {
    const { registry, cleanUp } = await prepare(t);
    await registry.open().acquire(instanceOf('a'), ttlMs, calm);
    await age(registry.path('hb', service), 700_000);
    await cleanUp.run(calm);
    assert.deepEqual(await readdir(registry.path('svc', service)), ['a.json']);
  });

  it('removes old marks, orphans, damaged records and empty folders', async (t) => {
    const { registry, layout, cleanUp } = await prepare(t);
    await layout.ensure();
    await layout.ensureService('old');
    const folders = ['svc/old', 'hb/old', 'left/old', 'tmp'].map((path) => registry.path(path));
    for (const folder of folders) {
      await writeFile(join(folder, 'young.json'), '');
      await writeFile(join(folder, 'old.json'), '');
      await age(folder, 700_000, ['old.json']);
    }
    await cleanUp.run(calm);
    for (const folder of folders) assert.deepEqual(await readdir(folder), ['young.json'], folder);
    for (const folder of folders) await age(folder, 700_000);
    await cleanUp.run(calm);
    for (const folder of folders) assert.deepEqual(await readdir(folder), [], folder);
    const at = new Date(Date.now() - 700_000);
    for (const folder of folders) await utimes(folder, at, at);
    await cleanUp.run(calm);
    assert.deepEqual(await readdir(registry.path('svc')), []);
    assert.deepEqual(await readdir(registry.path('hb')), []);
    assert.deepEqual(await readdir(registry.path('left')), []);
  });

  it('is done by one of many agents', async (t) => {
    const { registry, layout, cleanUp } = await prepare(t);
    await layout.ensure();
    const dead = async (): Promise<readonly string[]> => {
      await mkdir(registry.path('svc', 'x'), { recursive: true });
      await writeFile(registry.path('svc', 'x', 'dead.json'), '');
      await age(registry.path('svc', 'x'), 700_000);
      await cleanUp.runIfDue(calm);
      return readdir(registry.path('svc', 'x'));
    };
    await writeFile(layout.cleaned, '.');
    assert.deepEqual(await dead(), ['dead.json']);
    const { cleanUp: later } = { cleanUp: new CleanUp(await depsOf(t, layout)) };
    await age(registry.directory, 61_000, [layout.cleaned.slice(registry.directory.length + 1)]);
    await later.runIfDue(calm);
    assert.deepEqual(await readdir(registry.path('svc', 'x')), []);
  });
});

async function depsOf(
  t: TestContext,
  layout: Layout,
): Promise<ConstructorParameters<typeof CleanUp>[0]> {
  const serverTime = new ServerTime(
    { clock: systemClock, uniqueName: () => 'later' },
    layout.temporary,
  );
  t.after(() => serverTime.close());
  return { clock: systemClock, layout, serverTime };
}
