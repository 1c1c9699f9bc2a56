// The format of Apache Curator's service discovery, which Spring Cloud ZooKeeper and many others use.
import { isPort, parseInstance } from '../../../../core/instance.ts';
import { nodeNameOf } from '../layout.ts';
import { fieldsOf, type Format } from './format.ts';

/** `{scheme}://{address}:{port}`, from which Curator builds the URL of an instance. */
const uriSpec = {
  parts: [
    { value: 'scheme', variable: true },
    { value: '://', variable: false },
    { value: 'address', variable: true },
    { value: ':', variable: false },
    { value: 'port', variable: true },
  ],
};

/**
 * One node for each instance, named by its id. The payload is null, which readers with any payload class accept: one of
 * another class than theirs makes Curator reject the record. For the same reason `enabled` is not written (CURATOR-275).
 */
export const curator: Format = {
  containers: true,
  sequential: false,
  nodeName: nodeNameOf,
  isInstance: () => true,
  encode: ({ service, id, host, port, startedAtMs }) => ({
    name: service,
    id,
    address: host,
    port,
    sslPort: null,
    payload: null,
    registrationTimeUTC: startedAtMs ?? 0,
    serviceType: 'DYNAMIC',
    uriSpec,
  }),
  decode: (service, node, record) => {
    const { id, address, port, sslPort, registrationTimeUTC, enabled } = record;
    // Spring's payload has metadata; it is where its users put zone, version and weight.
    const metadata = fieldsOf(fieldsOf(record['payload'])['metadata']);
    const instance = parseInstance(service, {
      id: typeof id === 'string' && id !== '' ? id : node,
      host: address,
      port: isPort(port) ? port : sslPort,
      weight: Number(metadata['weight'] ?? 1),
      meta: metadata,
      version: metadata['version'],
      zone: metadata['zone'],
      startedAtMs: registrationTimeUTC,
    });
    return instance && { instance, serving: enabled !== false };
  },
};
