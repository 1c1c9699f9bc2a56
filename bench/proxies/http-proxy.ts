// The npm package http-proxy (as its maintained successor http-proxy-3) with kept connections.
import { fileURLToPath } from 'node:url';
import type { Proxy } from './proxy.ts';

const script = fileURLToPath(new URL('node/http-proxy.js', import.meta.url));

export const httpProxy: Proxy = {
  name: 'http-proxy',
  missing: () => undefined,
  command: ({ port, originPorts }) => [
    process.execPath,
    script,
    String(port),
    ...originPorts.map(String),
  ],
};
