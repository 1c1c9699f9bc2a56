import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { systemClock } from '../../../../src/core/clock.ts';
import { silentLogger } from '../../../../src/core/logger.ts';
import { systemRandom } from '../../../../src/core/random.ts';
import type { Driver, Reading } from '../../../../src/registry/driver.ts';
import { openKubernetes } from '../../../../src/registry/drivers/kubernetes/driver.ts';
import { eventually } from '../../../support/eventually.ts';
import { ScriptedApi, type ScriptedAnswer } from './scripted-api.ts';

const deps = { clock: systemClock, random: systemRandom, logger: silentLogger };
const inTime = (): AbortSignal => AbortSignal.timeout(5000);

interface Scene {
  readonly api: ScriptedApi;
  readonly driver: Driver;
}

async function setScene(t: TestContext, parameters = ''): Promise<Scene> {
  const api = await ScriptedApi.start();
  const driver = await openKubernetes(`k8s://shop?server=${api.url}${parameters}`, deps);
  t.after(async () => {
    await driver.close();
    await api.close();
  });
  return { api, driver };
}

function slice(name: string, host: string, metadata: object = {}): object {
  return {
    metadata: { name, resourceVersion: '8', ...metadata },
    addressType: 'IPv4',
    ports: [{ name: '', port: 80 }],
    endpoints: [{ addresses: [host] }],
  };
}

const list = (resourceVersion: string, ...items: readonly object[]) => ({
  documents: [{ metadata: { resourceVersion }, items }],
});
const status = (code: number, message: string) => ({
  status: code,
  documents: [{ kind: 'Status', code, message }],
});
const bookmark = (resourceVersion: string) => ({
  type: 'BOOKMARK',
  object: { metadata: { resourceVersion } },
});
const hostsOf = ({ instances }: Reading): readonly string[] => instances.map(({ host }) => host);

/** Follows until the promise that it returns settles; what the sink got is in `seen`. */
function follow(
  driver: Driver,
  from: Reading,
  signal = inTime(),
): { readonly seen: string[]; readonly done: Promise<void> } {
  const seen: string[] = [];
  const sink = {
    changed: (reading: Reading) => void seen.push(hostsOf(reading).join()),
    confirmed: () => void seen.push('confirmed'),
  };
  return { seen, done: driver.follow('payments', from, sink, signal) };
}

describe('reading a service', () => {
  it('takes all pages of the list', async (t) => {
    const { api, driver } = await setScene(t);
    const page = {
      metadata: { resourceVersion: '7', continue: 'more' },
      items: [slice('a', '10.0.0.1')],
    };
    api.answer({ documents: [page] }, list('7', slice('b', '10.0.0.2')));
    const reading = await driver.read('payments', inTime());
    assert.deepEqual(hostsOf(reading), ['10.0.0.1', '10.0.0.2']);
    const [first, second] = api.requests.map(({ url }) => url);
    assert.equal(first?.pathname, '/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices');
    assert.equal(first.searchParams.get('labelSelector'), 'kubernetes.io/service-name=payments');
    // A list from the server's cache may be an old one.
    assert.equal(first.searchParams.get('resourceVersion'), null);
    assert.equal(second?.searchParams.get('continue'), 'more');
  });

  it('looks in the namespace that the name gives', async (t) => {
    const { api, driver } = await setScene(t);
    api.answer(list('7'));
    await driver.read('payments.prod', inTime());
    assert.match(api.requests[0]?.url.pathname ?? '', /\/namespaces\/prod\/endpointslices$/);
  });

  it('fails with the reason that the server gives', async (t) => {
    const { api, driver } = await setScene(t);
    const failures = [
      [401, 'registry_auth'],
      [403, 'registry_auth'],
      [410, 'registry_compacted'],
      [429, 'registry_unavailable'],
      [503, 'registry_unavailable'],
      [400, 'registry_invalid'],
    ] as const;
    for (const [code, expected] of failures) {
      api.answer(status(code, 'because'));
      await assert.rejects(driver.read('payments', inTime()), {
        code: expected,
        message: `${code}: because`,
      });
    }
    api.answer({ documents: [] });
    await assert.rejects(driver.read('payments', inTime()), { code: 'registry_invalid' });
  });

  it('does without the permission to read leases', async (t) => {
    const { api, driver } = await setScene(t);
    const record = JSON.stringify({ id: 'a', host: '192.0.2.1', port: 80 });
    const annotations = { 'outrigger/instance': record };
    api.answer(list('7', slice('a', '192.0.2.1', { annotations })), status(403, 'forbidden'));
    const reading = await driver.read('payments', inTime());
    assert.deepEqual(hostsOf(reading), ['192.0.2.1']);
    assert.match(api.requests[1]?.url.pathname ?? '', /coordination.*leases$/);
  });

  it('reads the token again for each request', async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'outrigger-token-'));
    t.after(() => rmSync(directory, { recursive: true }));
    const file = join(directory, 'token');
    writeFileSync(file, 'old\n');
    const { api, driver } = await setScene(t, `&token-file=${file}`);
    api.answer(status(401, 'Unauthorized'), list('7'));
    await assert.rejects(driver.read('payments', inTime()), { code: 'registry_auth' });
    writeFileSync(file, 'new\n');
    await driver.read('payments', inTime());
    assert.deepEqual(
      api.requests.map(({ token }) => token),
      ['Bearer old', 'Bearer new'],
    );
    rmSync(file);
    await assert.rejects(driver.read('payments', inTime()), { code: 'registry_auth' });
  });
});

describe('following a service', () => {
  it('tells each change, and goes on from the latest version when a watch ends', async (t) => {
    const { api, driver } = await setScene(t);
    api.answer(list('7', slice('a', '10.0.0.1')));
    const reading = await driver.read('payments', inTime());
    const added = { type: 'ADDED', object: slice('b', '10.0.0.2', { resourceVersion: '8' }) };
    const removed = { type: 'DELETED', object: slice('a', '', { resourceVersion: '9' }) };
    api.answer({ documents: [added, removed, bookmark('12')], open: true });
    const ending = new AbortController();
    const { seen, done } = follow(driver, reading, ending.signal);
    await eventually('all events', () => seen.length === 3);
    assert.deepEqual(seen, ['10.0.0.1,10.0.0.2', '10.0.0.2', 'confirmed']);
    const query = api.requests[1]?.url.searchParams;
    assert.equal(query?.get('watch'), '1');
    assert.equal(query.get('allowWatchBookmarks'), 'true');
    assert.equal(query.get('resourceVersion'), '7');
    ending.abort();
    await done;
  });

  it('goes on from the bookmark when the server ends a watch', async (t) => {
    const { api, driver } = await setScene(t);
    let nowMs = 0;
    const clock = { ...systemClock, nowMs: () => (nowMs += 1000) };
    const aged = await openKubernetes(`k8s://shop?server=${api.url}`, { ...deps, clock });
    t.after(() => aged.close());
    api.answer(list('7'), { documents: [bookmark('12')] });
    const reading = await driver.read('payments', inTime());
    const ending = new AbortController();
    const { done } = follow(aged, reading, ending.signal);
    await eventually('another watch', () => api.requests.length === 3);
    assert.equal(api.requests[2]?.url.searchParams.get('resourceVersion'), '12');
    ending.abort();
    await done;
  });

  it('ends when the version is too old, by status or by event', async (t) => {
    const { api, driver } = await setScene(t);
    api.answer(list('7'), status(410, 'too old resource version'));
    const reading = await driver.read('payments', inTime());
    await assert.rejects(follow(driver, reading).done, { code: 'registry_compacted' });
    const object = { kind: 'Status', code: 410, message: 'too old resource version: 7 (900)' };
    api.answer(list('7'), { documents: [{ type: 'ERROR', object }] });
    const again = await driver.read('payments', inTime());
    await assert.rejects(follow(driver, again).done, {
      code: 'registry_compacted',
      message: '410: too old resource version: 7 (900)',
    });
  });

  it('ends when the server closes a watch at once, refuses it, or talks nonsense', async (t) => {
    const { api, driver } = await setScene(t);
    api.answer(list('7'));
    const reading = await driver.read('payments', inTime());
    const ends = async (answer: ScriptedAnswer, code: string): Promise<void> => {
      api.answer(answer);
      await assert.rejects(follow(driver, reading).done, { code });
    };
    await ends({ documents: [] }, 'registry_compacted');
    await ends(status(401, 'Unauthorized'), 'registry_auth');
    await ends({ documents: [{ type: 'WHAT' }], open: true }, 'registry_invalid');
    await ends({ documents: [{ type: 'ADDED', object: {} }], open: true }, 'registry_invalid');
  });
});

describe('a driver that does not register', () => {
  it('asks the server nothing for a lease', async (t) => {
    const { api, driver } = await setScene(t);
    const instance = {
      service: 'payments',
      id: 'a',
      host: '192.0.2.1',
      port: 80,
      weight: 1,
      tags: [],
      meta: {},
    };
    await driver.acquire(instance, 1000, inTime());
    assert.equal(await driver.renew(instance, 1000, inTime()), 'ok');
    await driver.release(instance, inTime());
    assert.equal(driver.capabilities.registers, false);
    assert.equal(api.requests.length, 0);
  });
});
