import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import { describe, it } from 'node:test';
import { AdminClient, parseAdminAddress } from '../../src/cli/client.ts';
import { ConfigError, RuntimeError } from '../../src/core/errors.ts';
import { withAdmin } from '../support/admin.ts';
import { fakeView } from '../support/fake-view.ts';

async function withServer(
  listener: RequestListener,
  body: (client: AdminClient) => Promise<void>,
): Promise<void> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
  try {
    await body(new AdminClient({ host: '127.0.0.1', port }));
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

describe('the address of the agent', () => {
  it('is HOST:PORT, PORT or a URL, and has a default', () => {
    const cases: [string, string, number][] = [
      ['', '127.0.0.1', 4190],
      ['10.0.0.1:5000', '10.0.0.1', 5000],
      [':5000', '127.0.0.1', 5000],
      ['5000', '127.0.0.1', 5000],
      ['http://localhost:5000/', 'localhost', 5000],
      ['[::1]:5000', '::1', 5000],
    ];
    for (const [text, host, port] of cases) {
      assert.deepEqual(parseAdminAddress(text), { host, port }, text);
    }
  });

  it('is on loopback when the agent listens on all addresses', () => {
    assert.equal(parseAdminAddress('0.0.0.0:5000').host, '127.0.0.1');
    assert.equal(parseAdminAddress('[::]:5000').host, '::1');
  });

  it('is a usage error when it cannot be one', () => {
    for (const text of ['nonsense', 'localhost', 'a:b', '1.2.3.4:70000', ':0', 'https://x:1']) {
      assert.throws(() => parseAdminAddress(text), ConfigError, text);
    }
  });
});

describe('AdminClient', () => {
  it('gives the document of an agent', async () => {
    await withAdmin(fakeView(), async ({ address }) => {
      assert.deepEqual(await new AdminClient(address).get('/livez'), { live: true });
    });
  });

  it('fails with the reason that the agent gives', async () => {
    await withAdmin(fakeView(), async ({ address }) => {
      await assert.rejects(new AdminClient(address).get('/v1/services/paymnts'), {
        name: 'RuntimeError',
        message: 'no service is called "paymnts"; did you mean "payments"?',
      });
    });
  });

  it('says how to start an agent when there is none', async () => {
    let client = new AdminClient({ host: '127.0.0.1', port: 1 });
    await withAdmin(fakeView(), async ({ address }) => {
      client = new AdminClient(address);
    });
    await assert.rejects(client.get('/v1/status'), (error) => {
      assert.ok(error instanceof RuntimeError);
      const start = `no agent answers at ${client.url}; start one with "outrigger run"`;
      assert.ok(error.message.startsWith(start), error.message);
      assert.ok(!error.message.includes('\n'));
      return true;
    });
    assert.deepEqual(await client.ask('GET', '/v1/status'), { kind: 'absent' });
  });

  it('does not take other servers for an agent', async () => {
    await withServer(
      (_, response) => response.end('{"services":[]}'),
      async (client) => {
        await assert.rejects(client.get('/v1/services'), /is not the admin API of an agent$/);
      },
    );
  });

  it('survives answers that are cut short or no JSON', async () => {
    await withServer(
      (request, response) => {
        response.setHeader('server', 'outrigger');
        if (request.url === '/text') response.end('text');
        else response.writeHead(200, { 'content-length': 100 }).write('{');
        if (request.url === '/cut') setImmediate(() => response.destroy());
      },
      async (client) => {
        await assert.rejects(client.get('/text'), /is not JSON$/);
        assert.deepEqual(await client.ask('GET', '/cut'), { kind: 'absent' });
        const abort = new AbortController();
        const pending = client.ask('GET', '/hang', abort.signal);
        setImmediate(() => abort.abort());
        assert.deepEqual(await pending, { kind: 'absent' });
      },
    );
  });
});
