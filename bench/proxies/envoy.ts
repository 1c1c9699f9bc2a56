// Envoy: one worker thread, a static cluster.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { byInstall, missingProgram, requireProgram } from './programs.ts';
import type { Place, Proxy } from './proxy.ts';

export const envoy: Proxy = {
  name: 'Envoy',
  missing: () => missingProgram('envoy', byInstall),
  command: (place) => {
    const file = join(place.directory, 'envoy.json');
    writeFileSync(file, JSON.stringify(configuration(place)));
    const flags = ['--concurrency', '1', '--log-level', 'error', '--disable-hot-restart'];
    return [requireProgram('envoy'), '-c', file, ...flags];
  },
};

const extension = 'type.googleapis.com/envoy.extensions.filters';

function configuration({ port, originPorts }: Place): unknown {
  const manager = {
    '@type': `${extension}.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'in',
    use_remote_address: true,
    upgrade_configs: [{ upgrade_type: 'websocket' }],
    route_config: {
      virtual_hosts: [
        {
          name: 'web',
          domains: ['*'],
          routes: [{ match: { prefix: '/' }, route: { cluster: 'web' } }],
        },
      ],
    },
    http_filters: [
      {
        name: 'envoy.filters.http.router',
        typed_config: { '@type': `${extension}.http.router.v3.Router` },
      },
    ],
  };
  const filter = {
    name: 'envoy.filters.network.http_connection_manager',
    typed_config: manager,
  };
  const cluster = {
    name: 'web',
    type: 'STATIC',
    lb_policy: 'LEAST_REQUEST',
    load_assignment: {
      cluster_name: 'web',
      endpoints: [
        { lb_endpoints: originPorts.map((origin) => ({ endpoint: { address: address(origin) } })) },
      ],
    },
  };
  return {
    static_resources: {
      listeners: [{ name: 'in', address: address(port), filter_chains: [{ filters: [filter] }] }],
      clusters: [cluster],
    },
  };
}

function address(port: number): unknown {
  return { socket_address: { address: '127.0.0.1', port_value: port } };
}
