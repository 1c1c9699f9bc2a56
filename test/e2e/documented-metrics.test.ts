// The table of metrics in docs/admin-api.md is what a real agent shows: the names and the labels.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { parseExposition } from '../support/prometheus.ts';
import { Fleet } from './agent-process.ts';
import { requestJson } from './http-client.ts';

type Documented = Readonly<Record<string, readonly string[]>>;

for (const workers of [1, 2]) {
  it(`docs/admin-api.md has every metric with its labels, workers: ${workers}`, async (t) => {
    const fleet = new Fleet(t);
    const flags = ['--workers', String(workers)];
    const registry = fleet.fileRegistry;
    const agent = await fleet.startRegistered({ service: 'payments', registry, flags });
    const call = { port: agent.proxyPort, path: '/payments/' };
    assert.equal((await requestJson(call)).status, 200);
    // Workers tell of a call a little later.
    const shown = await eventually('all metrics are there', async () => {
      const { body } = await requestJson({ port: agent.adminPort, path: '/metrics' });
      const families = labelsByName(String(body));
      return Object.values(families).every((labels) => labels !== undefined) && families;
    });
    assert.deepEqual(shown, documented(workers > 1));
  });
}

/** Undefined for a family without samples. */
function labelsByName(page: string): Record<string, readonly string[] | undefined> {
  const families = [...parseExposition(page).values()].map(({ name, samples }) => {
    const labels = new Set(samples.flatMap((sample) => Object.keys(sample.labels)));
    const sorted = samples.length === 0 ? undefined : [...labels].sort();
    return [name.replace(/^outrigger_/, ''), sorted] as const;
  });
  return Object.fromEntries(families);
}

function documented(withWorkers: boolean): Documented {
  const page = readFileSync(new URL('../../docs/admin-api.md', import.meta.url), 'utf8');
  const table = page.slice(page.indexOf('| metric '));
  const rows = [...table.matchAll(/^\| (`.*?) +\| *(.*?) *\|$/gm)];
  const shown = rows.filter(([row]) => withWorkers || !row.includes('with workers only'));
  return Object.fromEntries(
    shown.flatMap(([, metrics = '', labels = '']) =>
      codesIn(metrics).map((name) => [name, codesIn(labels).sort()]),
    ),
  );
}

function codesIn(text: string): string[] {
  return [...text.matchAll(/`(\w+)`/g)].map(([, code = '']) => code);
}
