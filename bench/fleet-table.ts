// The table of the fleet benchmark.
import { availableParallelism } from 'node:os';
import type { FleetRow, Phase } from './fleet-measure.ts';

type Column = readonly [title: string, cell: (row: FleetRow) => string];

const none = '–';

const columns: readonly Column[] = [
  ['registry', ({ registry }) => registry],
  ['instances', ({ instances }) => count(instances)],
  ['registered', ({ registered }) => count(registered)],
  ['in s', ({ registerSeconds }) => figure(registerSeconds)],
  ['beat every s', ({ heartbeatSeconds }) => count(heartbeatSeconds)],
  ['beats/s', ({ rest }) => figure(rest && rest.heartbeats / rest.seconds, 0)],
  ['failed', ({ rest }) => count(rest?.failedHeartbeats)],
  ['server CPU %', ({ rest }) => figure(share(rest, rest?.serverCpuMs))],
  ['µs/beat', ({ rest }) => figure(perBeat(rest, rest?.serverCpuMs), 0)],
  ['server MB', ({ serverMb }) => figure(serverMb, 0)],
  ['agents CPU %', ({ rest }) => figure(share(rest, rest?.agentsCpuMs))],
  ['µs/beat', ({ rest }) => figure(perBeat(rest, rest?.agentsCpuMs), 0)],
  ['rest ms/s', ({ rest }) => figure(rest && rest.watcher.cpuMs / rest.seconds)],
  ['kB/s', ({ rest }) => figure(rest && kb(rest) / rest.seconds)],
  ['1 %: replaced', ({ fleetChange }) => replacedIn(fleetChange)],
  ['ms/s', ({ fleetChange: phase }) => figure(phase && phase.watcher.cpuMs / phase.seconds)],
  ['kB/s', ({ fleetChange: phase }) => figure(phase && kb(phase) / phase.seconds)],
  ['news', ({ fleetChange }) => count(fleetChange?.watcher.changes)],
  ['own: replaced', ({ watchedChange }) => replacedIn(watchedChange)],
  [
    'ms each',
    (row) =>
      figure(
        extra(row, ({ watcher }) => watcher.cpuMs),
        2,
      ),
  ],
  ['kB each', (row) => figure(extra(row, kb))],
  ['news', ({ watchedChange }) => count(watchedChange?.watcher.changes)],
];

export function printFleets(rows: readonly FleetRow[], load: string): void {
  const [first] = rows;
  if (first === undefined) return;
  const { agents, holders, watched } = first;
  console.log(
    `Node ${process.version}, ${availableParallelism()} cores, load average at the start ${load}`,
  );
  console.log(`${agents} agents in ${holders} processes, each with its own connections`);
  console.log(
    `the columns from "rest" on are of one agent that watches ${watched} services: at rest, while 1 % of the fleet is replaced,`,
  );
  console.log(
    'and while instances of its own services are replaced (more than at rest, for each)\n',
  );
  const lines = [columns.map(([title]) => title), ...rows.map(cellsOf)];
  const widths = columns.map((_, index) =>
    Math.max(...lines.map((cells) => (cells[index] ?? '').length)),
  );
  for (const cells of lines) console.log(aligned(cells, widths));
  for (const { registry, instances, trouble } of rows) {
    if (trouble !== undefined) console.log(`${registry}, ${count(instances)}: ${trouble}`);
  }
}

function cellsOf(row: FleetRow): readonly string[] {
  return columns.map(([, cell]) => cell(row));
}

function aligned(cells: readonly string[], widths: readonly number[]): string {
  const pad = (cell: string, index: number): string =>
    index === 0 ? cell.padEnd(widths[index] ?? 0) : cell.padStart(widths[index] ?? 0);
  return cells.map(pad).join('  ');
}

function kb({ watcher }: Phase): number {
  return watcher.receivedBytes / 1000;
}

/** In percent of one core. */
function share(phase: Phase | undefined, cpuMs: number | undefined): number | undefined {
  return phase === undefined || cpuMs === undefined ? undefined : cpuMs / phase.seconds / 10;
}

function perBeat(phase: Phase | undefined, cpuMs: number | undefined): number | undefined {
  if (phase === undefined || cpuMs === undefined || phase.heartbeats === 0) return undefined;
  return (cpuMs * 1000) / phase.heartbeats;
}

/** For each replaced instance of the watched services, more than in a time of rest of the same length. */
function extra(
  { rest, watchedChange }: FleetRow,
  measure: (phase: Phase) => number,
): number | undefined {
  if (rest === undefined || watchedChange === undefined) return undefined;
  const atRest = (measure(rest) / rest.seconds) * watchedChange.seconds;
  return (measure(watchedChange) - atRest) / watchedChange.replacedOfWatched;
}

function replacedIn(phase: Phase | undefined): string {
  return phase === undefined ? none : `${count(phase.replaced)} (${phase.replacedOfWatched})`;
}

function count(value: number | undefined): string {
  return value === undefined ? none : value.toLocaleString('en');
}

function figure(value: number | undefined, digits = 1): string {
  return value === undefined ? none : value.toFixed(digits);
}
