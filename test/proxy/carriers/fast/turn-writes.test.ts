import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { TurnWrites } from '../../../../src/proxy/carriers/fast/turn-writes.ts';

/** A socket, and what the other end has got of it when it has ended. */
async function socketPair(test: TestContext): Promise<readonly [Socket, () => Promise<string>]> {
  const server = createServer().listen(0, '127.0.0.1');
  test.after(() => server.close());
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [other] = (await once(server, 'connection')) as [Socket];
  if (socket.connecting) await once(socket, 'connect');
  const all = async (): Promise<string> => {
    socket.end();
    let text = '';
    for await (const bytes of other) text += String(bytes);
    return text;
  };
  return [socket, all];
}

function withCalls(count: number): TurnWrites {
  const writes = new TurnWrites();
  for (let call = 0; call < count; call++) writes.callBegins();
  return writes;
}

describe('TurnWrites', () => {
  it('holds what is written in a turn until its end, in order', async (test) => {
    const [socket, all] = await socketPair(test);
    const writes = withCalls(6);
    writes.write(socket, 'a');
    socket.write('b');
    writes.write(socket, 'c');
    assert.equal(socket.writableCorked, 1);
    await nextTurn();
    assert.equal(socket.writableCorked, 0);
    writes.write(socket, 'd');
    assert.equal(socket.writableCorked, 1);
    assert.equal(await all(), 'abcd');
  });

  it('writes at once while few calls are in progress', async (test) => {
    const [socket, all] = await socketPair(test);
    const writes = withCalls(6);
    writes.callEnds();
    writes.write(socket, 'a');
    assert.equal(socket.writableCorked, 0);
    assert.equal(await all(), 'a');
  });

  it('leaves a socket alone that was destroyed in the turn', async (test) => {
    const [socket] = await socketPair(test);
    socket.on('error', (error) => assert.fail(error));
    withCalls(6).write(socket, 'a');
    socket.destroy();
    await once(socket, 'close');
    await nextTurn();
  });
});
