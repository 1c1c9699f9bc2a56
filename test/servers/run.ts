// All tests that need a registry server of their own, one registry after another, and a table of what they showed.
//
//   npm run test:servers [-- NAME...]
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Figures } from './figures.ts';
import { registryTable, type RegistryEntry } from './table.ts';

interface Outcome {
  readonly passed: number;
  readonly failed: number;
  /** It was the second run of these tests, since the first one failed. */
  readonly again?: boolean;
}

interface Row {
  readonly name: string;
  readonly contract: Outcome;
  readonly further: Outcome;
  /** Of registries that we register in; a failed measurement is a failure. */
  readonly figures: Figures | 'failed' | 'none';
}

const serverTest = /\.server-test\.ts$/;
const directory = mkdtempSync(join(tmpdir(), 'outrigger-servers-'));

async function runEntry(entry: RegistryEntry): Promise<Row> {
  const isContract = (path: string): boolean => path.startsWith('test/contract/');
  const files = testFilesOf(entry);
  const contract = await runTwiceAtMost(files.filter(isContract));
  const further = await runTwiceAtMost(files.filter((path) => !isContract(path)));
  const calls = files.filter((path) => path.startsWith('test/e2e/'));
  const onGeneralLane = await runTwiceAtMost(calls, { OUTRIGGER_FAST_LANE: 'false' });
  const figures = entry.backend === undefined ? 'none' : await measure(entry.name);
  return { name: entry.name, contract, further: sumOf(further, onGeneralLane), figures };
}

function testFilesOf({ tests }: RegistryEntry): readonly string[] {
  return allTestFiles.filter((path) => tests.some((prefix) => path.startsWith(prefix)));
}

/** A test file that no registry of the table has would never run. */
function refuseForgottenFiles(): void {
  for (const path of allTestFiles) {
    const owners = registryTable.filter((entry) => testFilesOf(entry).includes(path));
    if (owners.length !== 1) throw new Error(`${path} belongs to ${owners.length} registries`);
  }
}

const allTestFiles: readonly string[] = readdirSync('test', { recursive: true, encoding: 'utf8' })
  .map((path) => join('test', path))
  .filter((path) => serverTest.test(path) || /^test\/contract\/[^/]*\.test\.ts$/.test(path))
  .sort();

/** Servers hang and elections take their time on a busy machine: a failure is believed when it repeats, and shown either way. */
async function runTwiceAtMost(
  files: readonly string[],
  environment: NodeJS.ProcessEnv = {},
): Promise<Outcome> {
  const first = await runTests(files, environment);
  return first.failed === 0 ? first : { ...(await runTests(files, environment)), again: true };
}

function sumOf(one: Outcome, other: Outcome): Outcome {
  return {
    passed: one.passed + other.passed,
    failed: one.failed + other.failed,
    again: one.again === true || other.again === true,
  };
}

async function runTests(
  files: readonly string[],
  environment: NodeJS.ProcessEnv,
): Promise<Outcome> {
  if (files.length === 0) return { passed: 0, failed: 0 };
  const report = join(directory, 'report.tap');
  const reporters = [
    ...['--test-reporter=spec', '--test-reporter-destination=stdout'],
    ...['--test-reporter=tap', `--test-reporter-destination=${report}`],
  ];
  const args = ['--test', '--test-concurrency=1', ...reporters, ...files];
  const code = await run(args, { environment });
  const text = readFileSync(report, 'utf8');
  const count = (what: string): number =>
    Number(new RegExp(`^# ${what} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
  const failed = count('fail') + count('cancelled');
  // A file that cannot be loaded fails without a count.
  return { passed: count('pass'), failed: code !== 0 && failed === 0 ? 1 : failed };
}

async function measure(name: string): Promise<Figures | 'failed'> {
  for (const isLast of [false, true]) {
    const lines: string[] = [];
    const code = await run(['test/servers/figures.ts', name], { lines });
    if (code === 0) return JSON.parse(lines.join('')) as Figures;
    if (isLast) break;
  }
  return 'failed';
}

/** `lines`: takes what is printed. */
async function run(
  args: readonly string[],
  { environment, lines }: { environment?: NodeJS.ProcessEnv; lines?: string[] },
): Promise<number | null> {
  const child = spawn(process.execPath, ['--import', 'tsx', ...args], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', lines === undefined ? 'inherit' : 'pipe', 'inherit'],
  });
  child.stdout?.setEncoding('utf8').on('data', (text: string) => lines?.push(text));
  const [code] = (await once(child, 'close')) as [number | null];
  return code;
}

function printTable(rows: readonly Row[]): void {
  const head = [
    'registry',
    'server',
    'contract',
    'further',
    'routable ms',
    'worst of 50',
    'crash → gone',
    'outage',
  ];
  const cells = rows.map(({ name, contract, further, figures }) => [
    name,
    typeof figures === 'string' ? '' : figures.version,
    ...[contract, further].map(formatOutcome),
    ...figureCells(figures),
  ]);
  const widths = head.map((_, at) =>
    Math.max(...[head, ...cells].map((row) => row[at]?.length ?? 0)),
  );
  console.log();
  for (const row of [head, ...cells]) {
    console.log(
      row
        .map((text, at) => text.padEnd(widths[at] ?? 0))
        .join('  ')
        .trimEnd(),
    );
  }
}

function formatOutcome({ passed, failed, again = false }: Outcome): string {
  return `${passed}/${passed + failed}${again ? ' (2nd run)' : ''}`;
}

function figureCells(figures: Row['figures']): readonly string[] {
  if (figures === 'none') return ['–', '–', '–', '–'];
  if (figures === 'failed') return ['failed', '', '', ''];
  const seconds = (durationMs: number): string => `${(durationMs / 1000).toFixed(1)} s`;
  return [
    figures.registeredMedianMs.toFixed(1),
    figures.registeredWorstMs.toFixed(1),
    `${seconds(figures.crashMs)} (ttl ${seconds(figures.ttlMs)})`,
    `${seconds(figures.outageMs)}: ${figures.failures} of ${figures.calls} calls failed`,
  ];
}

async function main(): Promise<void> {
  refuseForgottenFiles();
  const asked = process.argv.slice(2);
  const unknown = asked.filter((name) => !registryTable.some((entry) => entry.name === name));
  if (unknown.length > 0) throw new Error(`not in the table: ${unknown.join(', ')}`);
  const rows: Row[] = [];
  const leftOut: string[] = [];
  for (const entry of registryTable) {
    if (asked.length > 0 && !asked.includes(entry.name)) continue;
    const reason = await entry.unavailable();
    // Under CI nothing may be left out unseen.
    if (reason !== undefined && process.env['CI'] === 'true') throw new Error(reason);
    if (reason === undefined) rows.push(await runEntry(entry));
    else leftOut.push(`left out: ${entry.name}: ${reason}`);
  }
  printTable(rows);
  for (const line of leftOut) console.log(line);
  const sum = (part: 'passed' | 'failed'): number =>
    rows.reduce((total, row) => total + row.contract[part] + row.further[part], 0);
  const measurementsFailed = rows.filter(({ figures }) => figures === 'failed').length;
  const callsFailed = rows.filter(
    ({ figures }) => typeof figures !== 'string' && figures.failures > 0,
  ).length;
  const failed = sum('failed') + measurementsFailed + callsFailed;
  console.log(`\n${sum('passed')} passed, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}

try {
  await main();
} finally {
  rmSync(directory, { recursive: true, force: true });
}
