// A real Kubernetes API server for the contract suite, where instances are registered as slices of their own.
import {
  kubernetesVersion,
  requireKubernetes,
  startKubernetes,
  type KubernetesServer,
} from '../../servers/kubernetes.ts';
import type { ContractBackend, ContractRegistry } from '../backend.ts';
import { CaseServers, faultsOf } from './case-servers.ts';

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
  readonly #servers = new CaseServers(startKubernetes);

  available(): string | undefined {
    return requireKubernetes();
  }

  version(): Promise<string> {
    return Promise.resolve(kubernetesVersion);
  }

  async open(options: { readonly own: boolean }): Promise<ContractRegistry> {
    const { server, number, close } = await this.#servers.open(options);
    const namespace = options.own ? 'default' : `case${number}`;
    if (!options.own) await server.createNamespace(namespace);
    return registryOf(server, namespace, close);
  }

  close(): Promise<void> {
    return this.#servers.close();
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
    ...faultsOf(server),
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
