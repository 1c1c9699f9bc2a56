// fastify with @fastify/http-proxy.
import { fileURLToPath } from 'node:url';
import { byInstall, hasNodePackage, nodePackages } from './programs.ts';
import type { Proxy } from './proxy.ts';

const script = fileURLToPath(new URL('node/fastify.js', import.meta.url));

export const fastify: Proxy = {
  name: '@fastify/http-proxy',
  missing: () =>
    hasNodePackage('@fastify/http-proxy') ? undefined : `it is not installed; ${byInstall}`,
  command: ({ port, originPorts }) => [
    process.execPath,
    script,
    nodePackages,
    String(port),
    ...originPorts.map(String),
  ],
};
