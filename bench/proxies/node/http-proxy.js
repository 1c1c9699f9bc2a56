// A round-robin proxy made with http-proxy: node http-proxy.js PORT ORIGIN_PORT...
import { Agent, createServer } from 'node:http';
import { createProxyServer } from 'http-proxy';

const [port, ...origins] = process.argv.slice(2);
const agent = new Agent({ keepAlive: true, maxFreeSockets: 1024 });
const proxy = createProxyServer({ agent, xfwd: true });
proxy.on('error', (_error, _request, response) => response.destroy());
let next = 0;

const server = createServer((request, response) => {
  proxy.web(request, response, { target: target() });
});
server.on('upgrade', (request, socket, head) => {
  proxy.ws(request, socket, head, { target: target() });
});
server.listen(Number(port), '127.0.0.1');

function target() {
  return `http://127.0.0.1:${origins[next++ % origins.length]}`;
}
