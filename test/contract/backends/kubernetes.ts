// A real Kubernetes API server for the contract suite, where instances are registered as slices of their own.
import {
  kubernetesVersion,
  requireKubernetes,
  startKubernetes,
  type KubernetesServer,
} from '../../servers/kubernetes.ts';
import type { ContractBackend, ContractRegistry } from '../backend.ts';

/** A lease counts in whole seconds. */
const ttlMs = 3000;
const heartbeatMs = 900;
/** The server's times count in seconds too, and a lease that is too old is looked at a second time. */
const crashMs = ttlMs + 3500;

/** Cases that do not hurt the server share one, each with a namespace of its own. */
class KubernetesBackend implements ContractBackend {
  readonly ttlMs = ttlMs;
  readonly heartbeatMs = heartbeatMs;
  readonly crashMs = crashMs;
  readonly without = {};
  #shared: Promise<KubernetesServer> | undefined;
  #opened = 0;

  available(): string | undefined {
    return requireKubernetes();
  }

  version(): Promise<string> {
    return Promise.resolve(kubernetesVersion);
  }

  async open({ own }: { readonly own: boolean }): Promise<ContractRegistry> {
    if (own) {
      const server = await startKubernetes();
      return registryOf(server, 'default', () => server.stop());
    }
    this.#shared ??= startKubernetes();
    const server = await this.#shared;
    this.#opened++;
    const namespace = `case${this.#opened}`;
    await server.createNamespace(namespace);
    return registryOf(server, namespace, async () => undefined);
  }

  async close(): Promise<void> {
    await (await this.#shared)?.stop();
  }
}

function registryOf(
  server: KubernetesServer,
  namespace: string,
  close: () => Promise<void>,
): ContractRegistry {
  const more = `&register=slice&watch=2s&ttl=${ttlMs}ms&heartbeat=${heartbeatMs}ms`;
  const here = { host: '127.0.0.1', port: server.port };
  const wrong = server.tokenFile('wrong', 'wrong');
  let foreign = 0;
  return {
    url: server.url(namespace) + more,
    restartEmpty: () => server.restartEmpty(),
    restartWithData: (downMs) => server.restartWithData(downMs),
    pause: async () => {
      server.pause();
    },
    resume: async () => {
      server.resume();
    },
    server: { address: here, urlAt: ({ port }) => server.url(namespace, { port }) + more },
    wrongPasswordUrl: server.url(namespace, { tokenFile: wrong }) + more,
    writeForeignRecord: async (service, text) => {
      foreign++;
      await server.call(
        'POST',
        `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`,
        {
          metadata: {
            name: `foreign${foreign}`,
            labels: { 'kubernetes.io/service-name': service },
            annotations: { 'outrigger/instance': text },
          },
          addressType: 'IPv4',
          endpoints: [],
        },
      );
    },
    close,
  };
}

export const kubernetesBackend: ContractBackend = new KubernetesBackend();
