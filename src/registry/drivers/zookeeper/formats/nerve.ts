// The format of Nerve, which Synapse reads (SmartStack).
import { parseInstance } from '../../../../core/instance.ts';
import { nodeNameOf } from '../layout.ts';
import { fieldsOf, type Format } from './format.ts';

/** Nodes `<id>_0000000000`, numbered by the server. */
export const nerve: Format = {
  containers: false,
  sequential: true,
  nodeName: (id) => `${nodeNameOf(id)}_`,
  isInstance: () => true,
  encode: ({ id, host, port, weight, meta }) => ({
    host,
    port,
    name: id,
    weight: Math.round(weight),
    labels: meta,
  }),
  decode: (service, node, record) => {
    const { host, port, weight } = record;
    const labels = fieldsOf(record['labels']);
    const instance = parseInstance(service, {
      // The name is often the machine's, and so not unique.
      id: node,
      host,
      port,
      weight: Number(weight ?? 1),
      meta: labels,
      version: labels['version'],
      zone: labels['zone'] ?? labels['az'],
    });
    return instance && { instance, serving: true };
  },
};
