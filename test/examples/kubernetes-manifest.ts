// What the tests of the Kubernetes examples share: the documents of a manifest, and what holds for every pod with the agent.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { parseAllDocuments } from 'yaml';
import type { Config } from '../../src/config/config.ts';
import { assertAsksReadiness, loadRun, textOf } from './support.ts';

interface Probe {
  readonly exec: { readonly command: readonly string[] };
}

export interface Container {
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

export interface Document {
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
  /** Of a Role. */
  readonly rules?: readonly unknown[];
  /** Of a RoleBinding. */
  readonly roleRef?: { readonly kind: string; readonly name: string };
  readonly subjects?: readonly { readonly kind: string; readonly name: string }[];
}

export interface Pod {
  readonly terminationGracePeriodSeconds?: number;
  readonly enableServiceLinks?: boolean;
  readonly serviceAccountName?: string;
  readonly automountServiceAccountToken?: boolean;
  readonly securityContext: { readonly runAsNonRoot: boolean; readonly runAsUser: number };
  readonly initContainers?: readonly Container[];
  readonly containers: readonly Container[];
  readonly volumes?: readonly {
    readonly name: string;
    readonly configMap?: { readonly name: string };
  }[];
}

/** A manifest with a Deployment `payments`, whose pods have the agent as a sidecar. */
export class Manifest {
  readonly documents: readonly Document[];
  readonly pod: Pod;
  readonly sidecar: Container;
  readonly app: Container;

  private constructor(documents: readonly Document[]) {
    this.documents = documents;
    this.pod = this.podOf('payments');
    const [sidecar] = this.pod.initContainers ?? [];
    const [app] = this.pod.containers;
    assert.ok(sidecar && app);
    this.sidecar = sidecar;
    this.app = app;
  }

  static async read(path: string): Promise<Manifest> {
    const documents = parseAllDocuments(await textOf(path)).map((one) => {
      assert.deepEqual(one.errors, []);
      return one.toJS() as Document;
    });
    return new Manifest(documents);
  }

  document(kind: string, name: string): Document {
    const found = this.documents.find((one) => one.kind === kind && one.metadata.name === name);
    assert.ok(found, `no ${kind} ${name}`);
    return found;
  }

  podOf(deployment: string): Pod {
    const { spec } = this.document('Deployment', deployment);
    assert.ok(spec);
    assert.deepEqual(spec.selector, { matchLabels: spec.template.metadata.labels });
    return spec.template.spec;
  }

  agentConfig(): Promise<Config> {
    const set = (this.sidecar.env ?? []).map(
      ({ name, value }) => [name, value ?? '10.1.2.3'] as const,
    );
    // Outside of a pod there is no service account that says where the server is.
    const args = (this.sidecar.args ?? []).map((arg) =>
      arg === '--registry=k8s:' ? '--registry=k8s:?server=https://kubernetes.default.svc' : arg,
    );
    return loadRun(args, Object.fromEntries(set));
  }
}

/** Registers what holds for every manifest. */
export function describeSidecar(manifest: Manifest): void {
  const { pod, sidecar, app } = manifest;

  it('has the agent as a native sidecar that looks at the port of the app', async () => {
    assert.equal(sidecar.restartPolicy, 'Always');
    const [service] = (await manifest.agentConfig()).services;
    assert.ok(service);
    assert.equal(service.name, 'payments');
    assert.equal(app.ports?.[0]?.containerPort, service.port);
    assert.equal(app.env?.find(({ name }) => name === 'PORT')?.value, String(service.port));
    assert.equal(pod.enableServiceLinks, false);
  });

  it('does not let the start of the app wait for the readiness of the app', async () => {
    assert.deepEqual(sidecar.startupProbe?.exec.command, ['outrigger', 'status']);
    assertAsksReadiness(sidecar.readinessProbe?.exec.command ?? [], await manifest.agentConfig());
  });

  it('asks the admin API from within, for it listens on the loopback only', async () => {
    const { admin, listen } = await manifest.agentConfig();
    assert.deepEqual([admin.host, listen.host], ['127.0.0.1', '127.0.0.1']);
  });

  it('gives no container more rights than it needs, and a place for what the agent writes', async () => {
    const deployments = manifest.documents.filter(({ kind }) => kind === 'Deployment');
    for (const { metadata } of deployments) assertLocked(manifest.podOf(metadata.name));
    const { stateDirectory } = await manifest.agentConfig();
    assert.ok(sidecar.volumeMounts?.some(({ mountPath }) => mountPath === stateDirectory));
  });

  it('runs the payments of the other examples', async () => {
    const code = manifest.document('ConfigMap', 'payments-code').data?.['payments.py'];
    assert.equal(code, await textOf('examples/two-apps/payments.py'));
    const volume = pod.volumes?.find(({ configMap }) => configMap?.name === 'payments-code');
    const mount = app.volumeMounts?.find(({ name }) => name === volume?.name);
    assert.deepEqual(app.command, ['python', `${mount?.mountPath ?? ''}/payments.py`]);
  });
}

function assertLocked({ securityContext, initContainers = [], containers }: Pod): void {
  assert.ok(securityContext.runAsNonRoot && securityContext.runAsUser > 0);
  for (const { name, image, securityContext: own } of [...initContainers, ...containers]) {
    assert.equal(own.allowPrivilegeEscalation, false, name);
    assert.equal(own.readOnlyRootFilesystem, true, name);
    assert.match(image, name === 'outrigger' ? /^outrigger:local$/ : /^[a-z]+:\d/);
  }
}
