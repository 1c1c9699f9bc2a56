import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { after, describe, it } from 'node:test';
import type { Address } from '../../src/core/address.ts';
import { HttpClient, type HttpClientOptions } from '../../src/registry/http-client.ts';
import { eventually } from '../support/eventually.ts';
import { FaultProxy } from '../support/fault-proxy.ts';

const endings: (() => void)[] = [];
after(() => {
  for (const end of endings) end();
});

async function serve(listener: RequestListener): Promise<{ address: Address; server: Server }> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  endings.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { server, address: { host: '127.0.0.1', port: (server.address() as AddressInfo).port } };
}

function clientOf(
  servers: readonly Address[],
  options: Partial<HttpClientOptions> = {},
): HttpClient {
  const client = new HttpClient({ servers, ...options });
  endings.push(() => client.close());
  return client;
}

const get = { method: 'GET', path: '/' };
const soon = (): AbortSignal => AbortSignal.timeout(10_000);

/** A port where nothing listens. */
async function deadAddress(): Promise<Address> {
  const { server, address } = await serve(() => undefined);
  server.close();
  await once(server, 'close');
  return address;
}

describe('HttpClient', () => {
  it('sends method, path, headers and body, and gives status, headers and text', async () => {
    const { address } = await serve((request, response) => {
      request.setEncoding('utf8');
      request.on('data', (body: string) => {
        const { method, url, headers } = request;
        response.writeHead(418, { 'x-index': '7' });
        response.end(JSON.stringify([method, url, headers['x-token'], headers['x-one'], body]));
      });
    });
    let token = 0;
    const client = clientOf([address], { headers: () => ({ 'x-token': String(++token) }) });
    const request = { method: 'PUT', path: '/a?b=c', headers: { 'x-one': '1' }, body: '☃' };
    await client.request(request, soon());
    const answer = await client.request(request, soon());
    assert.equal(answer.status, 418);
    assert.equal(answer.headers['x-index'], '7');
    assert.deepEqual(JSON.parse(answer.text), ['PUT', '/a?b=c', '2', '1', '☃']);
  });

  it('keeps its connection, and survives that the server closed it', async () => {
    const sockets = new Set<Socket>();
    const { server, address } = await serve((_request, response) => response.end('ok'));
    server.on('connection', (socket) => sockets.add(socket));
    const client = clientOf([address]);
    await client.request(get, soon());
    await client.request(get, soon());
    assert.equal(sockets.size, 1);
    for (const socket of sockets) socket.resetAndDestroy();
    assert.equal((await client.request(get, soon())).text, 'ok');
  });

  it('goes to the next server when one fails, and stays there', async () => {
    let calls = 0;
    const { address } = await serve((_request, response) => {
      calls++;
      response.end();
    });
    const client = clientOf([await deadAddress(), address]);
    await client.request(get, soon());
    await client.request(get, soon());
    assert.equal(calls, 2);
  });

  it('leaves a dead server once, however many requests fail on it', async () => {
    const { address } = await serve((_request, response) => response.end('ok'));
    const client = clientOf([await deadAddress(), address]);
    const answers = await Promise.all([1, 2].map(() => client.request(get, soon())));
    assert.deepEqual(
      answers.map(({ text }) => text),
      ['ok', 'ok'],
    );
    assert.equal((await client.request(get, soon())).text, 'ok');
  });

  it('does not send again into silence', async () => {
    let calls = 0;
    const { address } = await serve((_request, response) => {
      if (++calls === 1) response.end('ok');
    });
    const client = clientOf([address]);
    const request = { ...get, silenceMs: 100 };
    await client.request(request, soon());
    await assert.rejects(client.request(request, soon()), { code: 'registry_timeout' });
    assert.equal(calls, 2);
  });

  it('leaves a server when told', async () => {
    const first = await serve((_request, response) => response.end('first'));
    const second = await serve((_request, response) => response.end('second'));
    const client = clientOf([first.address, second.address]);
    assert.equal((await client.request(get, soon())).text, 'first');
    client.leaveServer();
    assert.equal((await client.request(get, soon())).text, 'second');
    client.leaveServer();
    assert.equal((await client.request(get, soon())).text, 'first');
  });

  it('fails with registry_unreachable when no server can be reached, naming one', async () => {
    const dead = await deadAddress();
    const client = clientOf([dead]);
    await assert.rejects(client.request(get, soon()), {
      code: 'registry_unreachable',
      message: new RegExp(`127\\.0\\.0\\.1:${dead.port}`),
    });
  });

  it('ends with its signal, before and after the head', async () => {
    const { address } = await serve((request, response) => {
      if (request.url === '/head') response.writeHead(200).flushHeaders();
    });
    const client = clientOf([address]);
    for (const path of ['/', '/head']) {
      const controller = new AbortController();
      const answer = client.request({ method: 'GET', path }, controller.signal);
      setImmediate(() => controller.abort());
      await assert.rejects(answer, { code: 'registry_unreachable' });
    }
    await assert.rejects(client.request(get, AbortSignal.abort()), {
      code: 'registry_unreachable',
    });
  });

  it('refuses an answer that is too long', async () => {
    const { address } = await serve((_request, response) => response.end('x'.repeat(1000)));
    const answer = clientOf([address]).request({ ...get, bytesMax: 999 }, soon());
    await assert.rejects(answer, { code: 'registry_invalid' });
  });

  it('streams lines as they come, whole over chunks', async () => {
    const { address } = await serve((_request, response) => {
      response.write('one\ntw');
      response.write('o\n\nsno');
      const snowman = Buffer.from('w☃');
      response.write(snowman.subarray(0, 2));
      response.end(snowman.subarray(2));
    });
    const stream = await clientOf([address]).stream({ ...get, silenceMs: 5000 }, soon());
    const lines: string[] = [];
    for await (const line of stream.lines) lines.push(line);
    assert.deepEqual(lines, ['one', 'two', '', 'snow☃']);
  });

  it('refuses a line that is too long, and ends the connection of a stream that is left', async () => {
    let open = 0;
    const { server, address } = await serve((request, response) => {
      response.write(request.url === '/long' ? 'x'.repeat(1000) : 'one\ntwo\n');
    });
    server.on('connection', (socket) => {
      open++;
      socket.on('close', () => open--);
    });
    const client = clientOf([address]);
    const long = await client.stream(
      { ...get, path: '/long', bytesMax: 999, silenceMs: 5000 },
      soon(),
    );
    await assert.rejects(long.lines.next(), { code: 'registry_invalid' });
    const left = await client.stream({ ...get, silenceMs: 5000 }, soon());
    for await (const line of left.lines) {
      assert.equal(line, 'one');
      break;
    }
    await eventually('no connection is left', () => open === 0);
  });

  it('notices silence before the head and in the body', async () => {
    const { address } = await serve((request, response) => {
      if (request.url === '/body') response.write('one\n');
    });
    const client = clientOf([address]);
    const silent = client.stream({ ...get, silenceMs: 50 }, soon());
    await assert.rejects(silent, { code: 'registry_timeout' });
    const stream = await client.stream({ ...get, path: '/body', silenceMs: 50 }, soon());
    assert.equal((await stream.lines.next()).value, 'one');
    await assert.rejects(stream.lines.next(), { code: 'registry_timeout' });
  });

  it('tells a connection that is lost in the body', async () => {
    const { address } = await serve((_request, response) => response.write('one\n'));
    const proxy = await FaultProxy.start(address);
    endings.push(() => void proxy.close());
    const stream = await clientOf([proxy.address]).stream({ ...get, silenceMs: 5000 }, soon());
    assert.equal((await stream.lines.next()).value, 'one');
    proxy.set({ kind: 'reset' });
    await assert.rejects(stream.lines.next(), { code: 'registry_unreachable' });
  });

  it('ends what is under way when it closes', async () => {
    const { address } = await serve(() => undefined);
    const client = clientOf([address]);
    const answer = client.request(get, soon());
    setImmediate(() => client.close());
    await assert.rejects(answer, { code: 'registry_unreachable' });
    await assert.rejects(client.request(get, soon()), { code: 'registry_unreachable' });
  });
});
