// What a run has found, as text, as JSON and as a plot.
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import type { Options, Plan } from './options.ts';
import { plot } from './plot.ts';
import { latencyTable, memoryTable, saturationTable } from './report.ts';
import { rowsOf } from './rows.ts';
import type { Group } from './run.ts';
import { workloadNamed } from './workloads.ts';

const plotted = 'small-64';

/** The tables of a workload follow each other, one for each number of instances. */
export function print(groups: readonly Group[], { names, rounds, seconds }: Plan): void {
  console.log(`${rounds} rounds of ${seconds} s on ${machine()}`);
  for (const name of names) {
    const { title, connections, load } = workloadNamed(name);
    const clients = `${connections} connection${connections === 1 ? '' : 's'}`;
    for (const { instances, subjects } of groups) {
      const rows = rowsOf(name, subjects);
      console.log(`\n${name}: ${title}, ${clients}, ${instancesText(instances)}`);
      console.log('ratePerS' in load ? latencyTable(rows) : saturationTable(rows));
    }
  }
  for (const { instances, subjects } of groups) {
    console.log(`\nresident memory, when started and at the end, ${instancesText(instances)}`);
    console.log(memoryTable(subjects));
  }
}

export function save(groups: readonly Group[], { plan, json, svg }: Options): void {
  if (json !== undefined) {
    writeFileSync(json, `${JSON.stringify(everything(groups, plan), null, 2)}\n`);
  }
  const [first] = groups;
  if (svg !== undefined && first !== undefined && plan.names.includes(plotted)) {
    const title = `CPU time of one small proxied GET in µs, and as a multiple of HAProxy’s`;
    writeFileSync(svg, plot(rowsOf(plotted, first.subjects), title));
  }
}

function everything(groups: readonly Group[], plan: Plan): unknown {
  const { names, rounds, seconds, instances: numbers } = plan;
  const results = names.flatMap((workload) =>
    groups.map(({ instances, subjects }) => ({
      workload,
      instances,
      ...workloadNamed(workload),
      rows: rowsOf(workload, subjects),
    })),
  );
  const memory = groups.flatMap(({ instances, subjects }) =>
    subjects.map(({ name, residentBeforeMb, residentAfterMb }) => ({
      name,
      instances,
      residentBeforeMb,
      residentAfterMb,
    })),
  );
  return { machine: machine(), rounds, seconds, instances: numbers, results, memory };
}

function instancesText(count: number): string {
  return `${count} instance${count === 1 ? '' : 's'}`;
}

function machine(): string {
  return `${cpus()[0]?.model.trim() ?? 'unknown'}, ${cpus().length} CPUs, Node ${process.version}`;
}
