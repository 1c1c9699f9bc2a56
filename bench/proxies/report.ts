// The tables that `npm run bench` prints.
import { percentiles, type Row, type Subject } from './rows.ts';
import { number, table } from './table.ts';

/** Requests as fast as they are answered: what each costs, and how many there are. */
export function saturationTable(rows: readonly Row[]): string {
  const titles = [
    'CPU µs',
    'user',
    'system',
    '× HAProxy',
    'per s',
    '× HAProxy',
    '× direct',
    'failed',
  ];
  return table(
    titles,
    rows.map(({ name, median: own, ofHaproxy, ofDirect }) => [
      name,
      // Nothing failed because nothing was sent.
      Number.isNaN(own.failed) ? 'not carried' : number(own.cpuUs, 1),
      number(own.userUs, 1),
      number(own.systemUs, 1),
      number(ofHaproxy?.cpuUs, 2),
      number(own.perSecond, own.perSecond < 1000 ? 1 : 0),
      number(ofHaproxy?.perSecond, 2),
      number(ofDirect?.perSecond, 2),
      number(own.failed, 0),
    ]),
  );
}

/** Requests at a constant rate: how late their replies are, beside no proxy, and how what a proxy adds compares with HAProxy. */
export function latencyTable(rows: readonly Row[]): string {
  const titles = ['p50 ms', 'p99 ms', 'p99.9 ms'].flatMap((p) => [p, '× direct', '× HAProxy']);
  const cells = rows.map((row) => [
    row.name,
    number(row.median.cpuUs, 1),
    number(row.ofHaproxy?.cpuUs, 2),
    ...percentiles.flatMap((p) => [
      milliseconds(row.latency[p]),
      number(row.latencyOfDirect[p], 2),
      number(row.name === 'direct' ? NaN : row.addedOfHaproxy[p], 2),
    ]),
    milliseconds(row.median.lateP99Ms),
    number(row.median.failed, 0),
  ]);
  const text = table(['CPU µs', '× HAProxy', ...titles, 'sent late', 'failed'], cells);
  return `${text}\n× HAProxy of a latency: what is added to direct, as a multiple of what HAProxy adds`;
}

export function memoryTable(subjects: readonly Subject[]): string {
  const haproxyMb = subjects.find(({ name }) => name === 'HAProxy')?.residentAfterMb;
  return table(
    ['before MB', 'after MB', '× HAProxy'],
    subjects
      .filter(({ name }) => name !== 'direct')
      .map(({ name, residentBeforeMb, residentAfterMb }) => [
        name,
        number(residentBeforeMb, 1),
        number(residentAfterMb, 1),
        number(haproxyMb && residentAfterMb / haproxyMb, 1),
      ]),
  );
}

/** No more digits than fit a narrow column. */
function milliseconds(value: number): string {
  const size = Math.abs(value);
  return number(value, size < 10 ? 3 : size < 100 ? 2 : 1);
}
