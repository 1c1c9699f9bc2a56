// Two apps with an agent each find and call each other, however the call is addressed.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { freePort } from '../support/free-port.ts';
import { Fleet, type RunningAgent } from './agent-process.ts';
import { requestJson, type Answer, type Call } from './http-client.ts';
import { registries } from './registries.ts';

interface Served {
  readonly name: string;
  readonly path: string;
}

for (const backend of registries) {
  const { name, skip } = backend;
  describe(`addressing with ${name}`, { skip }, () => {
    it('reaches the other app in every mode', async (t) => {
      const fleet = new Fleet(t);
      const registry = await backend.open(t, fleet);
      const [ownPort, tcpPort] = [await freePort(), await freePort()];
      const socketPath = `${fleet.directory}/payments.sock`;
      const [orders] = await Promise.all([
        fleet.startRegistered({
          service: 'orders',
          registry,
          flags: [
            ...['--upstream', `payments=${ownPort}`, '--upstream', `payments=${socketPath}`],
            ...['--upstream', `tcp:payments=${tcpPort}`],
          ],
        }),
        fleet.startRegistered({ service: 'payments', registry, flags: ['--tag', 'v2'] }),
      ]);
      const port = orders.proxyPort;
      const path = '/charge?amount=1';

      const modes: Readonly<Record<string, Call>> = {
        'host name': { port, path, headers: { host: `payments.localhost:${port}` } },
        'plain host': { port, path, headers: { host: 'payments' } },
        'host with another suffix': { port, path, headers: { host: 'Payments.svc' } },
        tag: { port, path, headers: { host: 'v2.payments.localhost' } },
        path: { port, path: `/payments${path}` },
        'path, host localhost': { port, path: `/payments${path}`, headers: { host: 'localhost' } },
        header: { port, path, headers: { 'outrigger-service': 'payments' } },
        'header of Dapr': { port, path, headers: { 'dapr-app-id': 'payments' } },
        'absolute form': { port, path: `http://payments${path}`, headers: { host: 'payments' } },
        'own port': { port: ownPort, path },
        'own socket': { socketPath, path },
        'TCP port': { port: tcpPort, path },
      };
      for (const [mode, call] of Object.entries(modes)) {
        const answer = await requestJson(call);
        assert.equal(answer.status, 200, `${mode}: ${JSON.stringify(answer.body)}`);
        const { name: servedBy, path: servedPath } = answer.body as Served;
        assert.deepEqual([servedBy, servedPath], ['payments', path], mode);
      }
      assert.match(
        await throughTunnel(orders, 'payments:80', path),
        /^HTTP\/1\.1 200 [^]*"name":"payments"/,
      );
    });

    it('works in both directions', async (t) => {
      const fleet = new Fleet(t);
      const registry = await backend.open(t, fleet);
      const [orders, payments] = await Promise.all([
        fleet.startRegistered({ service: 'orders', registry }),
        fleet.startRegistered({ service: 'payments', registry }),
      ]);
      const there = await requestJson({ port: orders.proxyPort, path: '/payments/' });
      const back = await requestJson({ port: payments.proxyPort, path: '/orders/' });
      assert.deepEqual([nameOf(there), nameOf(back)], ['payments', 'orders']);
    });
  });
}

function nameOf({ body }: Answer): string {
  return (body as Served).name;
}

async function throughTunnel(
  agent: RunningAgent,
  authority: string,
  path: string,
): Promise<string> {
  const socket = connect(agent.proxyPort, '127.0.0.1');
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
  const [head] = (await once(socket, 'data')) as [Buffer];
  assert.match(head.toString(), /^HTTP\/1\.1 200 /);
  socket.write(`GET ${path} HTTP/1.1\r\nHost: payments\r\nConnection: close\r\n\r\n`);
  return readToEnd(socket);
}

async function readToEnd(socket: Socket): Promise<string> {
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  await once(socket, 'end');
  socket.destroy();
  return text;
}
