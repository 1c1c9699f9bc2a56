// What the file driver does beyond the contract of all drivers.
import assert from 'node:assert/strict';
import {
  chmod,
  chown,
  mkdir,
  readdir,
  rename,
  rm,
  stat,
  symlink,
  unlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { describe, it } from 'node:test';
import { ownProcess } from '../../../../src/registry/drivers/file/processes.ts';
import { formatRecord } from '../../../../src/registry/drivers/file/record.ts';
import { eventually } from '../../../support/eventually.ts';
import { instanceOf } from '../../../support/scripted-driver.ts';
import { calm, FileRegistry, idsOf, service } from './fixture.ts';

const ttlMs = 6000;
const [a, b, c] = ['a', 'b', 'c'].map((id) => instanceOf(id)) as [Inst, Inst, Inst];
type Inst = ReturnType<typeof instanceOf>;

describe('file driver: leases', () => {
  it('answers `gone` to what it has not written, and when a file is missing or replaced', async (t) => {
    const registry = await FileRegistry.make(t);
    const driver = registry.open();
    assert.equal(await driver.renew(a, ttlMs, calm), 'gone');
    const harms: readonly (() => Promise<void>)[] = [
      () => unlink(registry.path('svc', service, 'a.json')),
      () => unlink(registry.path('hb', service, 'a.json')),
      () => writeFile(registry.path('svc', service, 'a.json'), '{}'),
      () => rm(registry.directory, { recursive: true }),
    ];
    for (const harm of harms) {
      await driver.acquire(a, ttlMs, calm);
      assert.equal(await driver.renew(a, ttlMs, calm), 'ok');
      await harm();
      assert.equal(await driver.renew(a, ttlMs, calm), 'gone');
    }
  });

  it('answers `gone` when it was silent for longer than the lease', async (t) => {
    const driver = (await FileRegistry.make(t)).open();
    await driver.acquire(a, 50, calm);
    await new Promise((resolve) => setTimeout(resolve, 60));
    assert.equal(await driver.renew(a, 50, calm), 'gone');
  });

  it('leaves no files of an instance that is released', async (t) => {
    const registry = await FileRegistry.make(t);
    const driver = registry.open();
    await driver.acquire(a, ttlMs, calm);
    await driver.release(a, calm);
    assert.deepEqual(await readdir(registry.path('svc', service)), []);
    assert.deepEqual(await readdir(registry.path('hb', service)), []);
    assert.deepEqual(await readdir(registry.path('left', service)), ['a.json']);
    await driver.acquire(a, ttlMs, calm);
    assert.deepEqual(await readdir(registry.path('left', service)), []);
    assert.deepEqual(await readdir(registry.path('tmp')), []);
  });

  it('refuses names that are no service names', async (t) => {
    const driver = (await FileRegistry.make(t)).open();
    const invalid = { code: 'registry_invalid', message: /no service name/ };
    for (const name of ['../x', 'A', '', 'a/b', '.hidden']) {
      const foreign = { ...a, service: name };
      await assert.rejects(driver.acquire(foreign, ttlMs, calm), invalid);
      await assert.rejects(driver.renew(foreign, ttlMs, calm), invalid);
      await assert.rejects(driver.release(foreign, calm), invalid);
      await assert.rejects(driver.read(name, calm), invalid);
    }
  });

  it('fails after it is closed, and when its signal has aborted', async (t) => {
    const driver = (await FileRegistry.make(t)).open();
    await assert.rejects(driver.acquire(a, ttlMs, AbortSignal.abort()), {
      code: 'registry_timeout',
    });
    await driver.close();
    await driver.close();
    await assert.rejects(driver.read(service, calm), { code: 'registry_unreachable' });
  });
});

describe('file driver: reading', () => {
  it('tells who released itself', async (t) => {
    const registry = await FileRegistry.make(t);
    const driver = registry.open();
    const following = await registry.follow(registry.open());
    await driver.acquire(a, ttlMs, calm);
    await driver.acquire(b, ttlMs, calm);
    await eventually('both', () => following.ids() === 'a,b');
    await driver.release(a, calm);
    await eventually('one', () => following.ids() === 'b');
    assert.deepEqual(following.latest.departed, new Set(['a']));
    await driver.acquire(a, ttlMs, calm);
    await eventually('both again', () => following.ids() === 'a,b');
    assert.deepEqual(following.latest.departed, new Set());
  });

  it('keeps for a lease time what somebody removed, then believes it', async (t) => {
    const registry = await FileRegistry.make(t);
    const driver = registry.open();
    const following = await registry.follow(registry.open('?poll=20ms'));
    await driver.acquire(a, 400, calm);
    await driver.acquire(b, ttlMs, calm);
    await eventually('both', () => following.ids() === 'a,b');
    const removedAtMs = performance.now();
    await rm(registry.path('svc', service), { recursive: true });
    await eventually('one has had its time', () => following.ids() === 'b');
    assert.ok(performance.now() - removedAtMs >= 380);
    assert.deepEqual(following.latest.departed, new Set());
  });

  it('makes a directory again that was removed, and says that it is new', async (t) => {
    const registry = await FileRegistry.make(t);
    const driver = registry.open();
    const following = await registry.follow(registry.open('?ttl=300ms'));
    await eventually('it is not new any more', () => following.latest.reset === false);
    await driver.acquire(a, ttlMs, calm);
    await eventually('a record', () => following.ids() === 'a');
    following.fewest = Infinity;
    await rm(registry.directory, { recursive: true, maxRetries: 10 });
    // Sooner than the poll.
    await eventually('it is new', () => following.latest.reset === true, { deadlineMs: 1000 });
    assert.equal(await driver.renew(a, ttlMs, calm), 'gone');
    await driver.acquire(a, ttlMs, calm);
    await driver.acquire(b, ttlMs, calm);
    await eventually('changes are seen again', () => following.ids() === 'a,b');
    assert.equal(following.fewest, 1);
  });

  it('keeps an instance whose record is damaged, and counts the damage until it is mended', async (t) => {
    const registry = await FileRegistry.make(t);
    const driver = registry.open();
    const following = await registry.follow(registry.open());
    await driver.acquire(a, ttlMs, calm);
    await eventually('a record', () => following.ids() === 'a');
    await writeFile(registry.path('svc', service, 'a.json'), '{"id":"a","ho');
    await eventually('the damage', () => following.latest.malformed === 1);
    assert.equal(following.ids(), 'a');
    await driver.acquire(a, ttlMs, calm);
    await eventually('no damage', () => following.latest.malformed === 0);
    assert.equal(following.ids(), 'a');
  });

  it('is not stopped or misled by files that are no records', async (t) => {
    const registry = await FileRegistry.make(t);
    const driver = registry.open();
    await driver.acquire(a, ttlMs, calm);
    const folder = registry.path('svc', service);
    await mkdir(`${folder}/folder.json`);
    await symlink('/dev/zero', `${folder}/endless.json`);
    await symlink(`${folder}/a.json`, `${folder}/link.json`);
    await writeFile(`${folder}/notes.txt`, 'no record at all');
    await writeFile(`${folder}/.a.json.swp`, 'an editor');
    const reading = await driver.read(service, calm);
    assert.equal(idsOf(reading), 'a');
    assert.equal(reading.malformed, 3);
  });

  it('drops an instance without heartbeat at once, and one that ends its heartbeat in time', async (t) => {
    const registry = await FileRegistry.make(t);
    const driver = registry.open();
    await driver.acquire(a, 300, calm);
    await driver.acquire(b, ttlMs, calm);
    await driver.acquire(c, ttlMs, calm);
    await unlink(registry.path('hb', service, 'b.json'));
    const reader = registry.open();
    assert.equal(idsOf(await reader.read(service, calm)), 'a,c');
    const following = await registry.follow(reader);
    // Sooner than the poll.
    await eventually('the silent one is gone', () => following.ids() === 'c', { deadlineMs: 1300 });
    assert.deepEqual(following.latest.departed, new Set());
  });

  it('drops at once an instance whose process has ended, and tells so', async (t) => {
    const registry = await FileRegistry.make(t);
    const own = await ownProcess();
    if (own === undefined) {
      t.skip('the system does not tell processes apart');
      return;
    }
    await registry.open().acquire(a, ttlMs, calm);
    const reader = registry.open();
    assert.equal(idsOf(await reader.read(service, calm)), 'a');
    const ended = { ...own, startTicks: own.startTicks - 1 };
    const record = formatRecord({ instance: a, ttlMs, process: ended });
    await writeFile(registry.path('svc', service, 'a.json'), record);
    await touchFolder(registry.path('svc', service));
    const reading = await reader.read(service, calm);
    assert.equal(idsOf(reading), '');
    assert.deepEqual(reading.departed, new Set(['a']));
  });

  it('forgets nothing that it saw just before a failure', async (t) => {
    const registry = await FileRegistry.make(t);
    const driver = registry.open();
    const reader = registry.open();
    await driver.acquire(a, ttlMs, calm);
    await reader.read(service, calm);
    await driver.acquire(b, ttlMs, calm);
    await unlink(registry.path('svc', service, 'a.json'));
    // Why a record is missing cannot be told now.
    const left = registry.path('left', service);
    await rename(left, `${left}-away`);
    await writeFile(left, '');
    await assert.rejects(reader.read(service, calm), { code: 'registry_invalid' });
    await unlink(left);
    await rename(`${left}-away`, left);
    assert.equal(idsOf(await reader.read(service, calm)), 'a,b');
    await driver.release(a, calm);
    assert.equal(idsOf(await reader.read(service, calm)), 'b');
  });

  it('hears of a release also when the record was removed before', async (t) => {
    const registry = await FileRegistry.make(t);
    const driver = registry.open();
    const reader = registry.open();
    await driver.acquire(a, ttlMs, calm);
    await reader.read(service, calm);
    await rm(registry.directory, { recursive: true });
    assert.equal(idsOf(await reader.read(service, calm)), 'a');
    await driver.release(a, calm);
    const reading = await reader.read(service, calm);
    assert.equal(idsOf(reading), '');
    assert.deepEqual(reading.departed, new Set(['a']));
  });

  it('sees by its poll alone what is never pushed', async (t) => {
    const registry = await FileRegistry.make(t);
    const driver = registry.open();
    await driver.acquire(a, ttlMs, calm);
    const following = await registry.follow(registry.open('?poll=30ms'));
    assert.equal(following.ids(), 'a');
    // A watch is on the folder itself, so it hears nothing of the one that takes its place.
    await rename(registry.path('svc'), registry.path('old'));
    await driver.acquire(a, ttlMs, calm);
    await driver.acquire(b, ttlMs, calm);
    await eventually('the new folder', () => following.ids() === 'a,b');
  });

  it('gives equal versions for equal lists and reads unchanged ones for nothing', async (t) => {
    const registry = await FileRegistry.make(t);
    const driver = registry.open('?ttl=1ms');
    await driver.acquire(a, ttlMs, calm);
    const first = await driver.read(service, calm);
    assert.equal(await driver.read(service, calm), first);
    await driver.acquire(b, ttlMs, calm);
    assert.notEqual((await driver.read(service, calm)).version, first.version);
  });

  it('names the services that have records', async (t) => {
    const registry = await FileRegistry.make(t);
    const driver = registry.open();
    assert.deepEqual(await driver.names(calm), []);
    await driver.acquire(a, ttlMs, calm);
    await driver.acquire({ ...b, service: 'orders' }, ttlMs, calm);
    await mkdir(registry.path('svc', 'Not a service'));
    await writeFile(registry.path('svc', 'notes'), '');
    assert.deepEqual(await driver.names(calm), ['orders', service]);
    await driver.release(a, calm);
    assert.deepEqual(await driver.names(calm), ['orders']);
  });

  it('makes no folder for a service that is only asked for', async (t) => {
    const registry = await FileRegistry.make(t);
    const following = await registry.follow(registry.open());
    assert.deepEqual(await readdir(registry.path('svc')), []);
    const driver = registry.open();
    await driver.acquire(a, ttlMs, calm);
    await eventually('its first record', () => following.ids() === 'a', { deadlineMs: 1000 });
    await driver.acquire(b, ttlMs, calm);
    await eventually('its second record', () => following.ids() === 'a,b', { deadlineMs: 1000 });
  });
});

describe('file driver: the directory', { skip: process.getuid === undefined && 'no users' }, () => {
  it('is made for its user alone', async (t) => {
    const registry = await FileRegistry.make(t);
    await registry.open().acquire(a, ttlMs, calm);
    assert.equal((await stat(registry.directory)).mode & 0o7777, 0o700);
    assert.equal((await stat(registry.path('svc', service))).mode & 0o7777, 0o700);
  });

  it('is made for everybody with shared=1, so that none can remove the files of another', async (t) => {
    const registry = await FileRegistry.make(t);
    await registry.open('?shared=1').acquire(a, ttlMs, calm);
    for (const folder of ['', 'svc', `svc/${service}`, 'hb', `hb/${service}`, 'tmp', 'left']) {
      assert.equal((await stat(registry.path(folder))).mode & 0o7777, 0o1777, folder);
    }
    assert.equal((await stat(registry.path('svc', service, 'a.json'))).mode & 0o777, 0o644);
  });

  it('is refused when others can write to it', async (t) => {
    const registry = await FileRegistry.make(t);
    await mkdir(registry.directory);
    await chmod(registry.directory, 0o770);
    const refused = { code: 'registry_auth', message: /\(mode 770\).*chmod 700/ };
    await assert.rejects(registry.open().acquire(a, ttlMs, calm), refused);
    await assert.rejects(registry.open().read(service, calm), refused);
    await chmod(registry.directory, 0o777);
    const refusedShared = { code: 'registry_auth', message: /sticky: chmod 1777/ };
    await assert.rejects(registry.open('?shared=1').read(service, calm), refusedShared);
    await chmod(registry.directory, 0o1777);
    await registry.open('?shared=1').read(service, calm);
  });

  it(
    'is refused when it belongs to another user',
    { skip: process.getuid?.() !== 0 && 'needs root' },
    async (t) => {
      const registry = await FileRegistry.make(t);
      await mkdir(registry.directory, { mode: 0o700 });
      await chown(registry.directory, 12_345, 12_345);
      const refused = { code: 'registry_auth', message: /belongs to user 12345/ };
      await assert.rejects(registry.open().read(service, calm), refused);
    },
  );

  it('is told as unusable when it is a file', async (t) => {
    const registry = await FileRegistry.make(t);
    await writeFile(registry.directory, '');
    await assert.rejects(registry.open().read(service, calm), { code: 'registry_invalid' });
  });
});

/** A record is never written in place, so a change of one comes with a change of its folder. */
async function touchFolder(path: string): Promise<void> {
  await utimes(path, new Date(), new Date());
}
