// A round-robin proxy made with fastify: node fastify.js PACKAGES_DIRECTORY PORT ORIGIN_PORT...
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [packages, port, ...origins] = process.argv.slice(2);
const require = createRequire(import.meta.url);
const installed = (name) => require(join(packages, 'node_modules', name));
const server = installed('fastify')();
let next = 0;

server.register(installed('@fastify/http-proxy'), {
  upstream: '',
  websocket: true,
  undici: { connections: 512, pipelining: 1 },
  replyOptions: { getUpstream: () => `http://127.0.0.1:${origins[next++ % origins.length]}` },
});
await server.listen({ port: Number(port), host: '127.0.0.1' });
