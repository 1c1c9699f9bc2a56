import assert from 'node:assert/strict';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import type { Writable } from 'node:stream';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { eventually } from '../support/eventually.ts';
import { httpOrigin } from './fixture.ts';

const bodyBytes = 100 * 1024 * 1024;
const growthBytesMax = 32 * 1024 * 1024;
const headers = { host: 'payments' };
const block = Buffer.alloc(256 * 1024, 'x');

async function startProcess(test: TestContext, instancePort: number) {
  const script = fileURLToPath(new URL('proxy-process.ts', import.meta.url));
  const execArgv = ['--import', 'tsx'];
  const child = fork(script, [String(instancePort)], { execArgv });
  test.after(() => child.kill('SIGKILL'));
  const [{ port }] = (await once(child, 'message')) as [{ port: number }];
  return { child, port };
}

async function rssOf(child: ChildProcess): Promise<number> {
  const answer = once(child, 'message') as Promise<[{ rssBytes: number }]>;
  child.send('rss');
  return (await answer)[0].rssBytes;
}

/** Has the process carry one body, so that its heap has the size of a busy process, and tells its memory. */
async function warmUp(child: ChildProcess, port: number): Promise<number> {
  const [reply] = (await once(request({ port, headers }).end(), 'response')) as [IncomingMessage];
  assert.equal(await countBytes(reply), bodyBytes);
  return rssOf(child);
}

/** Writes the body as fast as it is taken; tells how much was taken so far. */
function pour(into: Writable): { sentBytes: number } {
  const progress = { sentBytes: 0 };
  const more = (): void => {
    while (progress.sentBytes < bodyBytes) {
      progress.sentBytes += block.length;
      if (into.write(block)) continue;
      into.once('drain', more);
      return;
    }
    into.end();
  };
  more();
  return progress;
}

/** Waits until the sender is held back: no byte more was taken between two looks. */
async function stalled(progress: () => number): Promise<void> {
  let last = -1;
  const look = (): boolean => {
    const now = progress();
    const still = now === last && now > 0;
    last = now;
    return still;
  };
  await eventually('the sender is held back', look, { everyMs: 200 });
  assert.ok(progress() < bodyBytes / 2, `${progress()} bytes were taken from the sender`);
}

async function countBytes(stream: IncomingMessage): Promise<number> {
  let bytes = 0;
  for await (const chunk of stream) bytes += (chunk as Buffer).length;
  return bytes;
}

describe('100 MB through the proxy', () => {
  it('to a client that stops reading: the instance is held back, memory stays, all arrives', async (test) => {
    let progress = { sentBytes: 0 };
    const origin = await httpOrigin(test, (_req, res) => {
      progress = pour(res);
    });
    const { child, port } = await startProcess(test, origin.port);
    const before = await warmUp(child, port);
    const call = request({ port, headers }).end();
    const [reply] = (await once(call, 'response')) as [IncomingMessage];
    await stalled(() => progress.sentBytes);
    const held = (await rssOf(child)) - before;
    assert.ok(held < growthBytesMax, `memory grew by ${held} bytes`);
    assert.equal(await countBytes(reply), bodyBytes);
    const after = (await rssOf(child)) - before;
    assert.ok(after < growthBytesMax, `memory grew by ${after} bytes`);
  });

  it('to an instance that stops reading: the client is held back, memory stays, all arrives', async (test) => {
    let upload: IncomingMessage | undefined;
    const origin = await httpOrigin(test, (req, res) => {
      if (req.method === 'POST') upload = req;
      else pour(res);
    });
    const { child, port } = await startProcess(test, origin.port);
    const before = await warmUp(child, port);
    const call = request({ port, method: 'POST', headers });
    call.on('error', () => undefined);
    const progress = pour(call);
    await stalled(() => progress.sentBytes);
    const held = (await rssOf(child)) - before;
    assert.ok(held < growthBytesMax, `memory grew by ${held} bytes`);
    assert.ok(upload);
    assert.equal(await countBytes(upload), bodyBytes);
    call.destroy();
  });
});

describe('a client that reads slowly', () => {
  for (const connection of ['close', 'keep-alive'])
    it(`does not end the process when the instance closes first (${connection})`, async (test) => {
      const body = Buffer.alloc(4 << 20, 'y');
      const origin = await httpOrigin(test, (_req, res) => {
        res.writeHead(200, { connection });
        res.end(body);
      });
      const { child, port } = await startProcess(test, origin.port);
      const call = request({ port, headers }).end();
      const [reply] = (await once(call, 'response')) as [IncomingMessage];
      let bytes = 0;
      for await (const chunk of reply) {
        bytes += (chunk as Buffer).length;
        await new Promise((resolve) => setImmediate(resolve));
      }
      assert.equal(bytes, body.length);
      assert.ok((await rssOf(child)) > 0, 'the process lives');
    });
});
