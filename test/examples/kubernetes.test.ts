// The Kubernetes examples: their documents fit together, and the agent's container takes its arguments.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { describeSidecar, Manifest } from './kubernetes-manifest.ts';
import { textOf } from './support.ts';

const withRedis = await Manifest.read('examples/kubernetes/pod.yaml');
const itself = await Manifest.read('examples/kubernetes-registry/payments.yaml');

describe('examples/kubernetes/pod.yaml', () => {
  const { pod, sidecar, app } = withRedis;
  describeSidecar(withRedis);

  it('registers the address of the pod', async () => {
    const [service] = (await withRedis.agentConfig()).services;
    assert.deepEqual(service?.advertise, { host: '10.1.2.3' });
  });

  it('deregisters when the pod is told to end, then ends the app, then the agent', async () => {
    const { drain } = await withRedis.agentConfig();
    assert.deepEqual(sidecar.lifecycle?.preStop.exec?.command, ['outrigger', 'drain']);
    const appServesMs = (app.lifecycle?.preStop.sleep?.seconds ?? 0) * 1000;
    assert.ok(drain.delayMs !== undefined && drain.delayMs > appServesMs && appServesMs >= 1000);
    // The agent spends at most half of the drain's time on the delay.
    assert.ok(drain.delayMs < drain.timeoutMs / 2 - 1000);
    assert.ok((pod.terminationGracePeriodSeconds ?? 0) * 1000 > drain.timeoutMs);
  });

  it('finds the registry by its Service', async () => {
    const url = (await withRedis.agentConfig()).registries[0]?.url ?? '';
    const { hostname, port } = new URL(url);
    const service = withRedis.document('Service', hostname).spec;
    assert.equal(String(service?.ports?.[0]?.port), port);
    const { spec } = withRedis.document('Deployment', 'outrigger-registry');
    assert.deepEqual(service?.selector, spec?.template.metadata.labels);
    const [redis] = withRedis.podOf('outrigger-registry').containers;
    assert.equal(service?.ports?.[0]?.targetPort, redis?.ports?.[0]?.name);
  });
});

describe('examples/kubernetes-registry/payments.yaml', () => {
  const { pod, sidecar, app } = itself;
  describeSidecar(itself);

  it('has the permissions that the page on Kubernetes names for reading', async () => {
    const page = await textOf('docs/kubernetes.md');
    const [documented] = parseAllDocuments(/```yaml\n([^`]*)```/.exec(page)?.[1] ?? '');
    const { rules } = documented?.toJS() as { readonly rules: unknown };
    assert.deepEqual(itself.document('Role', 'outrigger').rules, rules);
  });

  it('gives them to the account of the pods, whose token the agent gets', () => {
    const { roleRef, subjects } = itself.document('RoleBinding', 'payments-outrigger');
    assert.deepEqual([roleRef?.kind, roleRef?.name], ['Role', 'outrigger']);
    const name = pod.serviceAccountName ?? '';
    assert.equal(itself.document('ServiceAccount', name).apiVersion, 'v1');
    assert.deepEqual(subjects, [{ kind: 'ServiceAccount', name }]);
    assert.notEqual(pod.automountServiceAccountToken, false);
  });

  it('has a Service of the name that the agent has, which selects the pods', async () => {
    const config = await itself.agentConfig();
    const { spec } = itself.document('Service', config.services[0]?.name ?? '');
    const { template } = itself.document('Deployment', 'payments').spec ?? {};
    assert.deepEqual(spec?.selector, template?.metadata.labels);
    assert.equal(spec?.ports?.[0]?.targetPort, app.ports?.[0]?.name);
    assert.ok(sidecar.args?.includes('--registry=k8s:'));
  });

  it('keeps the app until others have seen the end of the pod, then the agent ends at once', async () => {
    const { drain } = await itself.agentConfig();
    const appServesMs = (app.lifecycle?.preStop.sleep?.seconds ?? 0) * 1000;
    assert.ok(appServesMs >= 3000);
    assert.equal(sidecar.lifecycle, undefined);
    assert.equal(drain.delayMs, 0);
    assert.ok((pod.terminationGracePeriodSeconds ?? 0) * 1000 > appServesMs + drain.timeoutMs);
  });
});
