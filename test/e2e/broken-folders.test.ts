// Agents whose folders can neither be found nor made. In /proc making one fails as in a mounted folder that was removed on its host.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { untilEnded } from '../support/processes.ts';
import { Fleet, type RunningAgent } from './agent-process.ts';
import { requestJson } from './http-client.ts';

const impossible = '/proc/nope/outrigger';

/** An agent that spins takes no notice of signals; one of its threads that does keeps the process from ending. */
async function endOf(agent: RunningAgent): Promise<number | null> {
  agent.process.kill('SIGTERM');
  await untilEnded(agent.process.pid ?? 0);
  return agent.exited;
}

describe('an agent that cannot make', { skip: process.platform !== 'linux' }, () => {
  it('its state directory says so and does without it', async (t) => {
    const fleet = new Fleet(t);
    const agent = await fleet.startRegistered({
      service: 'payments',
      registry: fleet.fileRegistry,
      flags: ['--state-dir', impossible],
    });
    const call = { port: agent.proxyPort, path: '/payments/' };
    assert.equal((await requestJson(call)).status, 200);
    await eventually('it says so', () => agent.output().includes('snapshots on disk cannot be'));
    assert.equal((await requestJson(call)).status, 200);
    assert.equal(await endOf(agent), 0);
  });

  it('its registry directory says so, and ends when it is told to', async (t) => {
    const fleet = new Fleet(t);
    const registry = `file://${impossible}`;
    const agent = await fleet.start({ service: 'payments', registry });
    await eventually('it says so', () => agent.output().includes('ENOENT: no such file'));
    assert.equal(await endOf(agent), 0);
  });
});
