import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import { AdminServer } from '../../src/admin/server.ts';
import { systemClock } from '../../src/core/clock.ts';
import { ConfigError } from '../../src/core/errors.ts';
import { silentLogger, type LogFields } from '../../src/core/logger.ts';
import { ask, parseReply, sendRaw, withAdmin } from '../support/admin.ts';
import { untilClosed } from '../support/idle-clients.ts';
import { eventually } from '../support/eventually.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { fakeView } from '../support/fake-view.ts';

describe('a request that means harm', () => {
  it('has its body read away, up to a limit', async () => {
    await withAdmin(fakeView(), async ({ address }) => {
      const host = `Host: 127.0.0.1:${address.port}`;
      const small = await sendRaw(
        address,
        `POST /v1/drain HTTP/1.1\r\n${host}\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello`,
      );
      assert.equal(small.status, 202);
      const large = await ask(address, 'POST /v1/drain', [host, 'Content-Length: 1000000000']);
      assert.equal(large.status, 413);
    });
  });

  it('finds only so many connections as leave descriptors for the agent', async (t) => {
    await withAdmin(fakeView(), ({ address }) => untilClosed(t, address, 100, 68));
  });

  it('is cut off when its body has no end', { timeout: 15_000 }, async () => {
    await withAdmin(fakeView(), async ({ address }) => {
      const socket = connect(address);
      let sentBytes = 0;
      const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n`;
      const sendOn = (): void => {
        if (socket.destroyed) return;
        sentBytes += chunk.length;
        socket.write(chunk, () => setImmediate(sendOn));
      };
      socket.on('error', () => undefined);
      socket.resume();
      socket.write(
        'POST /v1/drain HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n',
        sendOn,
      );
      await new Promise((resolve) => socket.on('close', resolve));
      assert.ok(sentBytes < 64 * 1024 * 1024, `${sentBytes} bytes were taken`);
    });
  });

  it('gets 431 for a head that is too large, and 400 for no HTTP', async () => {
    await withAdmin(fakeView(), async ({ address }) => {
      const large = ['Host: localhost', `Cookie: ${'x'.repeat(20_000)}`];
      assert.equal((await ask(address, 'GET /livez', large)).status, 431);
      assert.equal((await sendRaw(address, 'nonsense\r\n\r\n')).status, 400);
    });
  });

  it('gets 500 when the answer fails, which is logged and ends nothing', async () => {
    const logged: LogFields[] = [];
    const logger = { ...silentLogger, error: (fields: LogFields) => void logged.push(fields) };
    const view = fakeView({
      usedServices: () => {
        throw new TypeError('a secret cause');
      },
    });
    await withAdmin(
      view,
      async ({ address }) => {
        for (const path of ['/v1/status', '/metrics', '/v1/services/payments']) {
          const reply = await ask(address, `GET ${path}`);
          assert.equal(reply.status, 500);
          assert.deepEqual(parseReply(reply), {
            error: { code: 'internal', message: 'the agent failed to answer', choices: [] },
          });
        }
        assert.equal(logged.length, 3);
        assert.equal((await ask(address, 'GET /livez')).status, 200);
      },
      { logger },
    );
  });
});

describe('the life of a request', () => {
  it('ends with an error that is no failure of the registry', async () => {
    const view = fakeView({ names: () => Promise.reject(new TypeError('a bug')) });
    await withAdmin(view, async ({ address }) => {
      assert.equal((await ask(address, 'GET /v1/services')).status, 500);
    });
  });

  it('leaves no timer behind', async () => {
    const clock = new FakeClock();
    await withAdmin(
      fakeView(),
      async ({ address }) => {
        assert.equal((await ask(address, 'GET /v1/services')).status, 200);
        assert.equal(clock.pendingTimers, 0);
      },
      { clock },
    );
  });

  it('does not hold up the close of the server', { timeout: 10_000 }, async () => {
    let asked = false;
    const view = fakeView({
      names: (signal) =>
        new Promise((_, reject) => {
          asked = true;
          signal.addEventListener('abort', () => reject(signal.reason as Error));
        }),
    });
    const clock = new FakeClock();
    await withAdmin(
      view,
      async (server) => {
        const pending = ask(server.address, 'GET /v1/services').catch(() => undefined);
        await eventually('the request is being answered', () => asked);
        await server.close();
        await pending;
        await eventually('its timer has ended', () => clock.pendingTimers === 0);
      },
      { clock },
    );
  });
});

describe('the life of the server', () => {
  const make = (port: number, host = '127.0.0.1'): AdminServer =>
    new AdminServer(
      { view: fakeView(), logger: silentLogger, clock: systemClock },
      { address: { host, port }, ownHosts: [] },
    );

  it('starts once, tells its real port, and closes once', async () => {
    const server = make(0);
    assert.throws(() => server.address);
    await Promise.all([server.start(), server.start()]);
    const { port } = server.address;
    assert.ok(port > 0);
    assert.equal(server.url, `http://127.0.0.1:${port}`);
    await Promise.all([server.close(), server.close()]);
    await assert.rejects(ask({ host: '127.0.0.1', port }, 'GET /livez'));
    await assert.rejects(server.start());
  });

  it('may be closed without a start', async () => {
    await make(0).close();
  });

  it('ends connections that are open when it closes', async () => {
    const server = make(0);
    await server.start();
    const url = `http://127.0.0.1:${server.address.port}/livez`;
    // fetch keeps the connection.
    await (await fetch(url)).text();
    await server.close();
  });

  it('names the flag when the address cannot be listened on', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const bound = other.address();
    const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
    const server = make(port);
    try {
      await assert.rejects(server.start(), (error) => {
        assert.ok(error instanceof ConfigError);
        assert.ok(
          error.message.startsWith(`--admin 127.0.0.1:${port}: another process listens there`),
        );
        return true;
      });
      await server.close();
    } finally {
      await new Promise((resolve) => other.close(resolve));
    }
    await assert.rejects(make(0, '203.0.113.7').start(), /this machine has no such address/);
  });
});
