import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { guardRequest } from '../../src/admin/guard.ts';
import { ask, parseReply, sendRaw, withAdmin } from '../support/admin.ts';
import { fakeView } from '../support/fake-view.ts';

describe('who may ask', () => {
  const refused = async (
    headers: (port: number) => readonly string[],
    code: string,
    ownHosts: readonly string[] = [],
  ): Promise<void> => {
    let drains = 0;
    const view = fakeView({ drain: () => drains++ });
    await withAdmin(
      view,
      async ({ address }) => {
        const lines = headers(address.port);
        for (const line of ['GET /v1/status', 'POST /v1/drain', 'GET /nowhere', 'GET /metrics']) {
          const reply = await ask(address, line, lines);
          assert.equal(reply.status, 403, `${line} ${lines.join(' ')}`);
          const { error } = parseReply(reply) as { error: { code: string } };
          assert.equal(error.code, code);
        }
        assert.equal(drains, 0);
      },
      { ownHosts },
    );
  };

  it('allows the names and addresses of this machine, and those configured', async () => {
    await withAdmin(
      fakeView(),
      async ({ address: { host, port } }) => {
        const hosts = [`localhost:${port}`, `127.0.0.1:${port}`, `127.8.9.1`, `[::1]:${port}`];
        for (const name of [...hosts, 'LOCALHOST', 'localhost:5000', 'Sidecar:80']) {
          const reply = await ask({ host, port }, 'GET /livez', [`Host: ${name}`]);
          assert.equal(reply.status, 200, name);
        }
      },
      { ownHosts: ['sidecar'] },
    );
  });

  it('allows the address that a connection arrived at, and the one that is listened on', async () => {
    const guard = (host: string, localAddress: string): void => {
      const request = { headers: { host }, rawHeaders: ['Host', host], socket: { localAddress } };
      guardRequest(request, ['0.0.0.0']);
    };
    guard('10.9.8.7:4190', '10.9.8.7');
    guard('10.9.8.7:4190', '::ffff:10.9.8.7');
    guard('[fd00::1]:4190', 'fd00::1');
    guard('0.0.0.0:4190', '127.0.0.1');
    assert.throws(() => guard('10.9.8.7:4190', '127.0.0.1'), { code: 'foreign_host' });
    assert.throws(() => guard('[fd00::1]:4190', 'fd00::2'), { code: 'foreign_host' });
    const address = { host: '0.0.0.0', port: 0 };
    await withAdmin(
      fakeView(),
      async ({ address: { port } }) => {
        const at = { host: '127.0.0.1', port };
        assert.equal((await ask(at, 'GET /livez', [`Host: 0.0.0.0:${port}`])).status, 200);
        assert.equal((await ask(at, 'GET /livez', [`Host: 10.9.8.7:${port}`])).status, 403);
      },
      { address },
    );
  });

  it('refuses foreign names, as in DNS rebinding', async () => {
    await refused((port) => [`Host: evil.example:${port}`], 'foreign_host');
    await refused((port) => [`Host: localhost.evil.example:${port}`], 'foreign_host');
    await refused((port) => [`Host: 127.0.0.1.evil.example:${port}`], 'foreign_host');
    await refused(() => ['Host: payments.localhost'], 'foreign_host');
    await refused(() => ['Host: 10.1.2.3'], 'foreign_host');
  });

  it('refuses hosts that are malformed, empty or given twice', async () => {
    await refused(() => ['Host:'], 'foreign_host');
    await refused(() => ['Host: user@localhost'], 'foreign_host');
    await refused(() => ['Host: localhost, localhost'], 'foreign_host');
    await refused(() => ['Host: localhost/evil'], 'foreign_host');
    await refused(() => ['Host: localhost', 'Host: localhost'], 'foreign_host');
    await refused(() => ['Host: localhost', 'Host: evil.example'], 'foreign_host');
  });

  it('refuses HTTP/1.0 without a host', async () => {
    await withAdmin(fakeView(), async ({ address }) => {
      assert.equal((await sendRaw(address, 'GET /livez HTTP/1.0\r\n\r\n')).status, 403);
    });
  });

  it('refuses pages of other origins, another port of localhost included', async () => {
    const host = (port: number) => `Host: localhost:${port}`;
    for (const origin of ['http://evil.example', 'null', 'http://localhost:3000', 'file://']) {
      await refused((port) => [host(port), `Origin: ${origin}`], 'foreign_origin');
    }
    await refused((port) => [host(port), `Origin: https://localhost:${port}`], 'foreign_origin');
    await refused(
      (port) => [`Host: evil.example:${port}`, `Origin: http://evil.example:${port}`],
      'foreign_host',
    );
    for (const site of ['cross-site', 'same-site']) {
      await refused((port) => [host(port), `Sec-Fetch-Site: ${site}`], 'foreign_origin');
    }
  });

  it('allows its own pages', async () => {
    await withAdmin(fakeView(), async ({ address }) => {
      const host = `localhost:${address.port}`;
      const headers = [`Host: ${host}`, `Origin: http://${host}`, 'Sec-Fetch-Site: same-origin'];
      assert.equal((await ask(address, 'POST /v1/drain', headers)).status, 202);
      const typed = [`Host: ${host}`, 'Sec-Fetch-Site: none'];
      assert.equal((await ask(address, 'GET /', typed)).status, 200);
    });
  });

  it('refuses what came through a proxy', async () => {
    for (const header of ['Via: 1.1 x', 'X-Forwarded-For: 10.0.0.1', 'Forwarded: for=10.0.0.1']) {
      await refused((port) => [`Host: localhost:${port}`, header], 'proxied');
    }
    await refused((port) => [`Host: localhost:${port}`, 'x-forwarded-proto: http'], 'proxied');
  });

  it('knows no path in absolute form', async () => {
    await withAdmin(fakeView(), async ({ address }) => {
      const url = `http://127.0.0.1:${address.port}/v1/drain`;
      assert.equal((await ask(address, `POST ${url}`)).status, 404);
    });
  });
});
