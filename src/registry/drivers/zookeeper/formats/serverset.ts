// The serverset format of Finagle and Aurora.
import { parseInstance } from '../../../../core/instance.ts';
import { fieldsOf, type Format } from './format.ts';

/** Nodes `member_0000000000`, numbered by the server; readers take those whose status is ALIVE. */
export const serverset: Format = {
  containers: false,
  sequential: true,
  nodeName: () => 'member_',
  isInstance: (node) => node.startsWith('member_'),
  encode: ({ host, port, meta }, leaving) => ({
    serviceEndpoint: { host, port },
    additionalEndpoints: {},
    status: leaving ? 'STOPPING' : 'ALIVE',
    shard: 0,
    metadata: meta,
  }),
  decode: (service, node, record) => {
    const { host, port } = fieldsOf(record['serviceEndpoint']);
    const meta = fieldsOf(record['metadata']);
    const instance = parseInstance(service, {
      id: node,
      host,
      port,
      weight: Number(meta['weight'] ?? 1),
      meta,
      version: meta['version'],
      zone: meta['zone'],
    });
    return instance && { instance, serving: record['status'] === 'ALIVE' };
  },
};
