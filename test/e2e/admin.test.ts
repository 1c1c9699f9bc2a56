// What the running agent tells of itself, by its admin API and by the commands that ask it.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Fleet, type RunningAgent } from './agent-process.ts';
import { requestJson } from './http-client.ts';

const program = fileURLToPath(new URL('../../bin/outrigger.js', import.meta.url));

/** Runs a client command against the agent; resolves with what it prints. */
async function ask(agent: RunningAgent, ...words: readonly string[]): Promise<string> {
  const args = [program, ...words, '--admin', `127.0.0.1:${agent.adminPort}`];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 20_000 });
  return stdout;
}

describe('a running agent', () => {
  it('has counted what went through it', async (t) => {
    const fleet = new Fleet(t);
    const registry = fleet.fileRegistry;
    const [orders] = await Promise.all([
      fleet.startRegistered({ service: 'orders', registry }),
      fleet.startRegistered({ service: 'payments', registry }),
    ]);
    for (let call = 0; call < 3; call++) {
      await requestJson({ port: orders.proxyPort, path: '/payments/' });
    }
    const { status, headers, body } = await requestJson({
      port: orders.adminPort,
      path: '/metrics',
    });
    assert.equal(status, 200);
    assert.match(headers['content-type'] ?? '', /^text\/plain; version=0\.0\.4/);
    const lines = String(body).split('\n');
    const has = (pattern: RegExp): void =>
      assert.ok(
        lines.some((line) => pattern.test(line)),
        String(pattern),
      );
    has(/^outrigger_requests_total\{.*service="payments".*code="200".*\} 3$/);
    has(/^outrigger_attempts_total\{service="payments"\} 3$/);
    has(/^outrigger_retries_total\{service="payments"\} 0$/);
    has(/^outrigger_ejections_total\{service="payments"\} 0$/);
    has(/^outrigger_requests_in_flight\{service="payments"\} 0$/);
    has(/^outrigger_endpoints\{.*service="payments".*state="healthy".*\} 1$/);
    has(/^outrigger_registered\{service="orders",.*\} 1$/);
    has(/^outrigger_request_duration_seconds_count\{service="payments"\} 3$/);
  });

  it('answers the client commands', async (t) => {
    const fleet = new Fleet(t);
    const registry = fleet.fileRegistry;
    const [orders] = await Promise.all([
      fleet.startRegistered({ service: 'orders', registry }),
      fleet.startRegistered({ service: 'payments', registry }),
    ]);
    assert.equal(
      await ask(orders, 'wait', 'payments', '--timeout', '10s', '--json').then(() => 'ok'),
      'ok',
    );
    assert.match(await ask(orders, 'services'), /orders[^]*payments/);
    assert.match(await ask(orders, 'instances', 'payments'), /127\.0\.0\.1:\d+/);
    const explained: unknown = JSON.parse(await ask(orders, 'explain', 'payments', '--json'));
    const { reason, chosen } = explained as { reason: unknown; chosen: unknown };
    assert.equal(reason, null);
    assert.match(String(chosen), /^payments-127\.0\.0\.1-/);
    assert.match(await ask(orders, 'status'), /running/);
    await ask(orders, 'drain', '--wait');
    assert.equal(await orders.exited, 0);
  });

  it('takes a change back from a page of another origin', async (t) => {
    const fleet = new Fleet(t);
    const agent = await fleet.start({ registry: fleet.fileRegistry });
    const call = { port: agent.adminPort, path: '/v1/drain' };
    const headers = { origin: 'http://evil.example' };
    assert.equal((await requestJson({ ...call, method: 'POST', headers })).status, 403);
    assert.equal((await requestJson({ ...call, headers: { host: 'evil.example' } })).status, 403);
    assert.equal((await requestJson(call)).status, 405);
    assert.equal((await agent.status()).life.drain, null);
  });
});
