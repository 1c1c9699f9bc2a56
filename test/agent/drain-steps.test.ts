// What the drain does to the agent's parts.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { AgentSteps, type AgentParts } from '../../src/agent/drain-steps.ts';

it('looks no more after the health of an app that it stops', async () => {
  const calls: string[] = [];
  const parts = {
    services: [{ health: { close: () => Promise.resolve(calls.push('no more checks')) } }],
    supervisor: { stop: (graceMs: number) => Promise.resolve(calls.push(`stop(${graceMs})`)) },
  };
  await new AgentSteps(parts as unknown as AgentParts).stopApp(500);
  assert.deepEqual(calls, ['no more checks', 'stop(500)']);
});
