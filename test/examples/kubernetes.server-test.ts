// The Kubernetes examples on a real API server: it takes every document, and the account of the pods may do what the agent does.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { systemClock as clock } from '../../src/core/clock.ts';
import { silentLogger as logger } from '../../src/core/logger.ts';
import { systemRandom as random } from '../../src/core/random.ts';
import { openDriver } from '../../src/registry/open.ts';
import { Registry } from '../../src/registry/registry.ts';
import { Recorder } from '../contract/world.ts';
import {
  requireKubernetes,
  startKubernetes,
  type KubernetesServer,
} from '../servers/kubernetes.ts';
import { eventually } from '../support/eventually.ts';
import { Manifest, type Document } from './kubernetes-manifest.ts';

const manifests = ['examples/kubernetes/pod.yaml', 'examples/kubernetes-registry/payments.yaml'];
const namespace = 'shop';
const plurals: Readonly<Record<string, string>> = {
  ConfigMap: 'configmaps',
  Deployment: 'deployments',
  Role: 'roles',
  RoleBinding: 'rolebindings',
  Service: 'services',
  ServiceAccount: 'serviceaccounts',
};

describe('a Kubernetes API server', { skip: requireKubernetes() ?? false }, () => {
  let server: KubernetesServer;
  before(async () => {
    server = await startKubernetes();
    await server.createNamespace(namespace);
  });
  after(() => server.stop());

  const create = (document: Document, query = ''): Promise<string> =>
    server.call('POST', `${collectionOf(document)}?fieldValidation=Strict${query}`, document);

  for (const path of manifests) {
    it(`takes every document of ${path}`, async () => {
      for (const document of (await Manifest.read(path)).documents) {
        await create(document, '&dryRun=All');
      }
    });
  }

  it('lets the account of the pods follow a service, and write nothing', async (t) => {
    const { documents, pod } = await Manifest.read('examples/kubernetes-registry/payments.yaml');
    for (const document of documents) await create(document);
    const account = `/api/v1/namespaces/${namespace}/serviceaccounts/${pod.serviceAccountName ?? ''}`;
    const answer = await server.call('POST', `${account}/token`, { spec: {} });
    const { status } = JSON.parse(answer) as { readonly status: { readonly token: string } };
    const url = server.url(namespace, { tokenFile: server.tokenFile('account', status.token) });
    const driver = await openDriver(`${url}&register=slice`, { clock, random, logger });
    const registry = new Registry({ driver, clock, random, logger });
    const recorder = new Recorder(registry, 'payments');
    t.after(async () => {
      recorder.stop();
      await registry.close();
    });
    await eventually('it may read', () => recorder.latest.state === 'live');
    await server.call('POST', `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`, {
      metadata: { name: 'payments-1', labels: { 'kubernetes.io/service-name': 'payments' } },
      addressType: 'IPv4',
      ports: [{ name: 'http', port: 8080 }],
      endpoints: [{ addresses: ['10.0.0.1'] }],
    });
    const [instance] = await eventually('it sees the pod', () => {
      const { instances } = recorder.latest;
      return instances.length === 1 && instances;
    });
    assert.equal(`${instance?.host ?? ''}:${instance?.port ?? 0}`, '10.0.0.1:8080');
    assert.deepEqual(await registry.names(), ['payments']);
    assert.equal(registry.health().lastError, undefined);
    assert.ok(instance !== undefined);
    const written = driver.acquire({ ...instance, id: 'own' }, 30_000, AbortSignal.timeout(5000));
    await assert.rejects(written, { code: 'registry_auth' });
  });
});

function collectionOf({ apiVersion, kind }: Document): string {
  const root = apiVersion.includes('/') ? '/apis' : '/api';
  return `${root}/${apiVersion}/namespaces/${namespace}/${plurals[kind] ?? kind}`;
}
