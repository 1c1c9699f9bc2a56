// The driver on a real API server: endpoints as Kubernetes' own controllers write them, permissions, and the end of what died.
import assert from 'node:assert/strict';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { systemClock } from '../../../../src/core/clock.ts';
import { silentLogger } from '../../../../src/core/logger.ts';
import { systemRandom } from '../../../../src/core/random.ts';
import type { Driver } from '../../../../src/registry/driver.ts';
import { KubernetesApi } from '../../../../src/registry/drivers/kubernetes/api.ts';
import { openDriver } from '../../../../src/registry/open.ts';
import { Registry } from '../../../../src/registry/registry.ts';
import { instanceOf, Recorder } from '../../../contract/world.ts';
import {
  adminToken,
  requireKubernetes,
  startKubernetes,
  userToken,
  type KubernetesServer,
} from '../../../servers/kubernetes.ts';
import { eventually } from '../../../support/eventually.ts';

const deps = { clock: systemClock, random: systemRandom, logger: silentLogger };
const inTime = (): AbortSignal => AbortSignal.timeout(10_000);
const reason = requireKubernetes();

describe('the Kubernetes driver', { skip: reason ?? false }, () => {
  let server: KubernetesServer;
  let namespaces = 0;
  before(async () => {
    server = await startKubernetes();
  });
  after(() => server.stop());

  async function newNamespace(): Promise<string> {
    namespaces++;
    const name = `test${namespaces}`;
    await server.createNamespace(name);
    return name;
  }

  async function open(t: TestContext, url: string): Promise<Driver> {
    const driver = await openDriver(url, deps);
    t.after(() => driver.close());
    return driver;
  }

  async function watch(t: TestContext, url: string): Promise<Recorder> {
    const registry = new Registry({ ...deps, driver: await openDriver(url, deps) });
    const recorder = new Recorder(registry, 'payments');
    t.after(async () => {
      recorder.stop();
      await registry.close();
    });
    await eventually('a first answer', () => recorder.latest.state === 'live');
    return recorder;
  }

  const slices = (namespace: string): string =>
    `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`;
  const leases = (namespace: string): string =>
    `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`;
  const putSlice = (namespace: string, name: string, parts: object): Promise<string> =>
    server.call('POST', slices(namespace), { ...sliceObject(name), ...parts });

  it('follows pods as they become ready, terminate and go', async (t) => {
    const namespace = await newNamespace();
    await putSlice(namespace, 'payments-x1', {
      endpoints: [pod('a', '10.0.0.1', { ready: true }), pod('b', '10.0.0.2', { ready: false })],
    });
    const recorder = await watch(t, server.url(namespace));
    const hosts = (): readonly string[] => recorder.latest.instances.map(({ host }) => host);
    await eventually('only the ready one', () => hosts().join() === '10.0.0.1');
    assert.equal(recorder.latest.instances[0]?.zone, 'eu-1a');
    const change = (...endpoints: readonly object[]): Promise<string> =>
      server.call('PATCH', `${slices(namespace)}/payments-x1`, { endpoints });
    const ready = { ready: true };
    await change(pod('a', '10.0.0.1', ready), pod('b', '10.0.0.2', ready));
    await eventually('both', () => hosts().length === 2);
    const leaving = { ready: false, serving: true, terminating: true };
    await change(pod('a', '10.0.0.1', leaving), pod('b', '10.0.0.2', leaving));
    await eventually('none', () => hosts().length === 0);
    assert.equal(recorder.latest.held, 0);
    await putSlice(namespace, 'payments-x2', { endpoints: [pod('c', '10.0.0.3')] });
    await eventually('one in another slice', () => hosts().join() === '10.0.0.3');
    await server.call('DELETE', `${slices(namespace)}/payments-x2`);
    await eventually('none again', () => hosts().length === 0);
  });

  it('takes both families, host names and the port that is asked for', async (t) => {
    const namespace = await newNamespace();
    const ports = [
      { name: 'http', port: 8080 },
      { name: 'grpc', port: 9090 },
    ];
    await putSlice(namespace, 'four', { ports, endpoints: [pod('a', '10.0.0.1')] });
    const six = [pod('a', 'fd00::1'), pod('b', 'fd00::2')];
    await putSlice(namespace, 'six', { ports, addressType: 'IPv6', endpoints: six });
    const named = [{ addresses: ['db.example.com'] }];
    await putSlice(namespace, 'name', { ports, addressType: 'FQDN', endpoints: named });
    const driver = await open(t, `${server.url(namespace)}&port=grpc`);
    const { instances } = await driver.read('payments', inTime());
    assert.deepEqual(instances.map(({ host }) => host).sort(), [
      '10.0.0.1',
      'db.example.com',
      'fd00::2',
    ]);
    assert.deepEqual(new Set(instances.map(({ port }) => port)), new Set([9090]));
    const elsewhere = await open(t, server.url('default'));
    const reading = await elsewhere.read(`payments.${namespace}`, inTime());
    assert.equal(reading.instances.length, 3);
    assert.deepEqual(await driver.names(inTime()), ['payments']);
  });

  it('resumes many short watches without a gap', async (t) => {
    const namespace = await newNamespace();
    const recorder = await watch(t, `${server.url(namespace)}&watch=1s`);
    for (let number = 1; number <= 15; number++) {
      await putSlice(namespace, `s${number}`, {
        endpoints: [pod('p', `10.0.0.${number}`, {}, number)],
      });
      await eventually('the next one', () => recorder.latest.instances.length === number);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    assert.equal(recorder.latest.state, 'live');
  });

  it('tells a version that the server does not know any more', async (t) => {
    // With an empty history, of which version 1 is no part.
    await server.restartWithData();
    const api = new KubernetesApi({
      server: { host: '127.0.0.1', port: server.port },
      tls: { ca: server.certificates.ca },
      token: { kind: 'text', text: adminToken },
    });
    t.after(() => api.close());
    const from = { resourceVersion: '1', watchMs: 5000 };
    const events = api.watch({ path: slices('default') }, from, inTime());
    await assert.rejects(events.next(), { code: 'registry_compacted', message: /too old/ });
  });

  it('needs no more than the documented permissions', async (t) => {
    const namespace = await newNamespace();
    const tokenFile = server.tokenFile('user', userToken);
    const reading = server.url(namespace, { tokenFile });
    const registering = `${reading}&register=slice`;
    const driver = await open(t, registering);
    await assert.rejects(driver.read('payments', inTime()), { code: 'registry_auth' });
    const [reader, writer] = documentedRoles();
    await grant(namespace, reader);
    const instance = instanceOf(1, { host: '192.0.2.1' });
    await eventually('the role is known', () => driver.read('payments', inTime()).then(() => true));
    await assert.rejects(driver.acquire(instance, 30_000, inTime()), { code: 'registry_auth' });
    await grant(namespace, writer);
    await eventually('the other role is known', () =>
      driver.acquire(instance, 30_000, inTime()).then(() => true),
    );
    await driver.acquire(instance, 30_000, inTime());
    assert.equal(await driver.renew(instance, 30_000, inTime()), 'ok');
    await (await watch(t, reading)).sees([instance]);
    await driver.release(instance, inTime());
    assert.deepEqual((await driver.read('payments', inTime())).instances, []);
    assert.equal(await driver.renew(instance, 30_000, inTime()), 'gone');
  });

  async function grant(namespace: string, role: Role): Promise<void> {
    const path = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
    await server.call('POST', `${path}/roles`, role);
    await server.call('POST', `${path}/rolebindings`, {
      metadata: { name: role.metadata.name },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: role.metadata.name },
      subjects: [{ kind: 'User', name: 'agent', apiGroup: 'rbac.authorization.k8s.io' }],
    });
  }

  it('goes on when its token is replaced', async (t) => {
    const namespace = await newNamespace();
    const tokenFile = server.tokenFile('rotating', 'expired');
    const url = `${server.url(namespace, { tokenFile })}&watch=1s`;
    const registry = new Registry({ ...deps, driver: await openDriver(url, deps) });
    const recorder = new Recorder(registry, 'payments');
    t.after(async () => {
      recorder.stop();
      await registry.close();
    });
    await eventually('refused', () => registry.health().lastError?.code === 'registry_auth');
    const next = server.tokenFile('next', adminToken);
    renameSync(next, tokenFile);
    await eventually('accepted', () => recorder.latest.state === 'live', { deadlineMs: 20_000 });
  });

  it('speaks to the server of a kubeconfig, with a client certificate or a token', async (t) => {
    const namespace = await newNamespace();
    const { files } = server.certificates;
    const path = join(files.ca, '../kubeconfig.json');
    const cluster = {
      server: `https://127.0.0.1:${server.port}`,
      'certificate-authority': files.ca,
    };
    const certificate = { 'client-certificate': files.cert, 'client-key': files.key };
    writeFileSync(
      path,
      JSON.stringify({
        'current-context': 'token',
        clusters: [{ name: 'c', cluster }],
        contexts: [
          { name: 'token', context: { cluster: 'c', user: 'token', namespace } },
          { name: 'certificate', context: { cluster: 'c', user: 'certificate', namespace } },
        ],
        users: [
          { name: 'token', user: { token: adminToken } },
          { name: 'certificate', user: certificate },
        ],
      }),
    );
    const byToken = await open(t, `k8s:?kubeconfig=${path}`);
    assert.deepEqual((await byToken.read('payments', inTime())).instances, []);
    const byCertificate = await open(t, `k8s:?kubeconfig=${path}&context=certificate`);
    // Known, but without a role.
    await assert.rejects(byCertificate.read('payments', inTime()), /User "localhost" cannot list/);
  });

  it('shows others what they expect of a slice, and removes what died', async (t) => {
    const namespace = await newNamespace();
    const url = `${server.url(namespace)}&register=slice&ttl=2s&heartbeat=600ms&watch=2s`;
    const driver = await open(t, url);
    const dead = instanceOf(1, { host: '192.0.2.1', zone: 'eu-1a', weight: 2 });
    await driver.acquire(dead, 2000, inTime());
    const { items } = JSON.parse(await server.call('GET', slices(namespace))) as {
      items: readonly {
        metadata: { labels: object };
        endpoints: readonly object[];
        ports: unknown;
      }[];
    };
    assert.deepEqual(items[0]?.endpoints, [
      {
        addresses: ['192.0.2.1'],
        conditions: { ready: true, serving: true, terminating: false },
        zone: 'eu-1a',
      },
    ]);
    assert.deepEqual(items[0].ports, [{ name: '', protocol: 'TCP', port: dead.port }]);
    // Nobody renews. A reader only leaves it out; one that registers also removes it.
    const recorder = await watch(t, `${server.url(namespace)}&ttl=2s&watch=2s`);
    await recorder.sees([], { deadlineMs: 15_000 });
    const rest = async (path: string): Promise<number> =>
      (JSON.parse(await server.call('GET', path)) as { items: readonly unknown[] }).items.length;
    assert.equal(await rest(slices(namespace)), 1);
    await watch(t, url);
    await eventually(
      'both objects are gone',
      async () => (await rest(slices(namespace))) + (await rest(leases(namespace))) === 0,
      { deadlineMs: 15_000 },
    );
    assert.equal(await driver.renew(dead, 2000, inTime()), 'gone');
  });
});

interface Role {
  readonly metadata: { readonly name: string };
}

/** From the page that users copy them from. */
function documentedRoles(): readonly [Role, Role] {
  const page = readFileSync(new URL('../../../../docs/kubernetes.md', import.meta.url), 'utf8');
  const text = /```yaml\n([^`]*)```/.exec(page)?.[1] ?? '';
  const [reader, writer] = parseAllDocuments(text).map((document) => document.toJS() as Role);
  assert.ok(reader !== undefined && writer !== undefined);
  return [reader, writer];
}

function sliceObject(name: string): object {
  return {
    metadata: { name, labels: { 'kubernetes.io/service-name': 'payments' } },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080 }],
    endpoints: [],
  };
}

function pod(name: string, address: string, conditions: object = {}, number = 0): object {
  const uid = `${String(number).padStart(8, '0')}-0000-0000-0000-000000000000`;
  const targetRef = { kind: 'Pod', name, uid };
  return { addresses: [address], conditions, targetRef, zone: 'eu-1a', nodeName: 'node-7' };
}
