// The Kubernetes example: its documents fit together, and the agent's container takes its arguments.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseAllDocuments } from 'yaml';
import type { Config } from '../../src/config/config.ts';
import { assertAsksReadiness, loadRun, textOf } from './support.ts';

interface Probe {
  readonly exec: { readonly command: readonly string[] };
}

interface Container {
  readonly name: string;
  readonly image: string;
  readonly restartPolicy?: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly startupProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly lifecycle?: {
    readonly preStop: Partial<Probe> & { readonly sleep?: { readonly seconds: number } };
  };
  readonly securityContext: {
    readonly allowPrivilegeEscalation: boolean;
    readonly readOnlyRootFilesystem: boolean;
  };
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
}

interface Document {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: {
    readonly selector: Readonly<Record<string, unknown>>;
    readonly ports?: readonly { readonly port: number; readonly targetPort: string }[];
    readonly template: {
      readonly metadata: { readonly labels: Readonly<Record<string, string>> };
      readonly spec: Pod;
    };
  };
}

interface Pod {
  readonly terminationGracePeriodSeconds?: number;
  readonly enableServiceLinks?: boolean;
  readonly securityContext: { readonly runAsNonRoot: boolean; readonly runAsUser: number };
  readonly initContainers?: readonly Container[];
  readonly containers: readonly Container[];
  readonly volumes?: readonly {
    readonly name: string;
    readonly configMap?: { readonly name: string };
  }[];
}

const documents = parseAllDocuments(await textOf('examples/kubernetes/pod.yaml')).map((one) => {
  assert.deepEqual(one.errors, []);
  return one.toJS() as Document;
});

function document(kind: string, name: string): Document {
  const found = documents.find((one) => one.kind === kind && one.metadata.name === name);
  assert.ok(found, `no ${kind} ${name}`);
  return found;
}

function podOf(deployment: string): Pod {
  const { spec } = document('Deployment', deployment);
  assert.ok(spec);
  assert.deepEqual(spec.selector, { matchLabels: spec.template.metadata.labels });
  return spec.template.spec;
}

const pod = podOf('payments');
const [sidecar] = pod.initContainers ?? [];
const [app] = pod.containers;
assert.ok(sidecar && app);

function agentConfig(): Promise<Config> {
  const set = (sidecar?.env ?? []).map(({ name, value }) => [name, value ?? '10.1.2.3'] as const);
  return loadRun(sidecar?.args ?? [], Object.fromEntries(set));
}

describe('examples/kubernetes/pod.yaml', () => {
  it('has the agent as a native sidecar that looks at the port of the app', async () => {
    assert.equal(sidecar.restartPolicy, 'Always');
    const [service] = (await agentConfig()).services;
    assert.ok(service);
    assert.equal(service.name, 'payments');
    assert.deepEqual(service.advertise, { host: '10.1.2.3' });
    assert.equal(app.ports?.[0]?.containerPort, service.port);
    assert.equal(app.env?.find(({ name }) => name === 'PORT')?.value, String(service.port));
    assert.equal(pod.enableServiceLinks, false);
  });

  it('does not let the start of the app wait for the readiness of the app', async () => {
    assert.deepEqual(sidecar.startupProbe?.exec.command, ['outrigger', 'status']);
    assertAsksReadiness(sidecar.readinessProbe?.exec.command ?? [], await agentConfig());
  });

  it('asks the admin API from within, for it listens on the loopback only', async () => {
    const { admin, listen } = await agentConfig();
    assert.deepEqual([admin.host, listen.host], ['127.0.0.1', '127.0.0.1']);
  });

  it('deregisters when the pod is told to end, then ends the app, then the agent', async () => {
    const { drain } = await agentConfig();
    assert.deepEqual(sidecar.lifecycle?.preStop.exec?.command, ['outrigger', 'drain']);
    const appServesMs = (app.lifecycle?.preStop.sleep?.seconds ?? 0) * 1000;
    assert.ok(drain.delayMs !== undefined && drain.delayMs > appServesMs && appServesMs >= 1000);
    // The agent spends at most half of the drain's time on the delay.
    assert.ok(drain.delayMs < drain.timeoutMs / 2 - 1000);
    assert.ok((pod.terminationGracePeriodSeconds ?? 0) * 1000 > drain.timeoutMs);
  });

  it('finds the registry by its Service', async () => {
    const url = (await agentConfig()).registries[0]?.url ?? '';
    const { hostname, port } = new URL(url);
    const service = document('Service', hostname).spec;
    assert.equal(String(service?.ports?.[0]?.port), port);
    const labels = document('Deployment', 'outrigger-registry').spec?.template.metadata.labels;
    assert.deepEqual(service?.selector, labels);
    const [redis] = podOf('outrigger-registry').containers;
    assert.equal(service?.ports?.[0]?.targetPort, redis?.ports?.[0]?.name);
  });

  it('gives no container more rights than it needs, and a place for what the agent writes', async () => {
    for (const one of [pod, podOf('outrigger-registry')]) {
      assert.ok(one.securityContext.runAsNonRoot && one.securityContext.runAsUser > 0);
      for (const { name, image, securityContext } of [
        ...(one.initContainers ?? []),
        ...one.containers,
      ]) {
        assert.equal(securityContext.allowPrivilegeEscalation, false, name);
        assert.equal(securityContext.readOnlyRootFilesystem, true, name);
        assert.match(image, name === 'outrigger' ? /^outrigger:local$/ : /^[a-z]+:\d/);
      }
    }
    const { stateDirectory } = await agentConfig();
    assert.ok(sidecar.volumeMounts?.some(({ mountPath }) => mountPath === stateDirectory));
  });

  it('runs the payments of the other examples', async () => {
    const code = document('ConfigMap', 'payments-code').data?.['payments.py'];
    assert.equal(code, await textOf('examples/two-apps/payments.py'));
    const volume = pod.volumes?.find(({ configMap }) => configMap?.name === 'payments-code');
    const mount = app.volumeMounts?.find(({ name }) => name === volume?.name);
    assert.deepEqual(app.command, ['python', `${mount?.mountPath ?? ''}/payments.py`]);
  });
});
