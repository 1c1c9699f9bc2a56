// A hundred agents in a few processes on one directory: nobody is lost.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { eventually } from '../../../support/eventually.ts';
import type { AgentsReport } from './agents.ts';
import { FileRegistry } from './fixture.ts';

const processes = 4;
const agentsEach = 25;

describe('file driver: 100 agents at once', () => {
  it('each sees all others, and loses none while all keep their leases', async (t) => {
    const registry = await FileRegistry.make(t);
    const url = pathToFileURL(registry.directory).href;
    const children = Array.from({ length: processes }, (_, n) => {
      const numbers = [n, agentsEach, processes * agentsEach].map(String);
      const child = spawn(process.execPath, ['--import', 'tsx', script, url, ...numbers], {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      t.after(() => child.kill('SIGKILL'));
      let text = '';
      child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
      return { child, lines: () => text.trim().split('\n') };
    });
    await eventually(
      'every agent has seen a hundred',
      () => children.every(({ lines }) => lines().includes('complete')),
      { deadlineMs: 30_000 },
    );
    // Longer than a lease, so that each instance lives by its heartbeats.
    await sleep(3500);
    // All reports are made before the first process ends, so that none is of an agent that has left.
    const exits = children.map(({ child }) => once(child, 'exit'));
    for (const { child } of children) child.stdin.end();
    const codes = (await Promise.all(exits)) as [number][];
    assert.deepEqual(
      codes.map(([code]) => code),
      [0, 0, 0, 0],
    );
    for (const { lines } of children) {
      const report = JSON.parse(lines().at(-1) ?? '') as AgentsReport;
      const { renewalsOk, ...rest } = report;
      assert.deepEqual(rest, { fewest: 100, losses: 0, renewalsFailed: 0 });
      assert.ok(renewalsOk >= agentsEach * 3, `${renewalsOk} heartbeats`);
    }
  });
});

const script = fileURLToPath(new URL('agents.ts', import.meta.url));
