// The TCP probe against real sockets.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describe, it } from 'node:test';
import { tcpProbe } from '../../../src/health/probes/tcp.ts';
import { rawServer, refusingPort, runProbe } from './support.ts';

const probeOf = (port: number) => tcpProbe({ target: { host: '127.0.0.1', port } });

describe('tcp probe', () => {
  it('passes when the connection is accepted, and closes it without a byte sent', async (t) => {
    const accepted: Socket[] = [];
    const port = await rawServer(t, (socket) => accepted.push(socket));
    assert.deepEqual(await runProbe(probeOf(port)), { ok: true });
    const [socket] = accepted;
    assert.ok(socket);
    socket.resume();
    await once(socket, 'close');
    assert.equal(socket.bytesRead, 0);
  });

  it('says that a connection was refused', async () => {
    const result = await runProbe(probeOf(await refusingPort()));
    assert.equal(result.ok, false);
    assert.equal(result.refused, true);
    assert.match(result.cause, /ECONNREFUSED/);
  });

  it('says so too when each address of a host name refuses', async () => {
    const port = await refusingPort();
    const result = await runProbe(tcpProbe({ target: { host: 'localhost', port } }));
    assert.equal(result.ok, false);
    assert.equal(result.refused, true);
    assert.match(result.cause, /ECONNREFUSED/);
  });

  it('fails with the reason of the signal that ends it', async (t) => {
    const port = await rawServer(t, () => undefined);
    const signal = AbortSignal.abort(new Error('timed out'));
    const result = await probeOf(port).run(signal);
    assert.deepEqual(result, { ok: false, refused: false, cause: 'timed out' });
  });

  it('has a name with its target', () => {
    assert.equal(tcpProbe({ target: { host: '::1', port: 80 } }).name, 'tcp [::1]:80');
  });
});
