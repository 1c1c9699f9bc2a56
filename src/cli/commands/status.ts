// `outrigger status`: the running agent on one screen.
import type { Command } from 'commander';
import type { StatusDocument, UseSummaryDocument } from '../../admin/documents.ts';
import type {
  DrainStatus,
  LeaseStatus,
  LocalServiceStatus,
  Readiness,
  RegistryStatus,
  WorkersStatus,
} from '../../admin/view.ts';
import { RuntimeError } from '../../core/errors.ts';
import {
  adminOption,
  clientDeps,
  jsonOption,
  type ClientDeps,
  type ClientOptions,
} from '../client-command.ts';
import {
  formatAge,
  formatJson,
  formatTable,
  paint,
  printable,
  type Cell,
  type Output,
  type Tone,
} from '../output.ts';

export interface StatusOptions extends ClientOptions {
  readonly ready?: boolean;
}

export function registerStatus(program: Command): void {
  program
    .command('status')
    .description('show the state of the running agent')
    .option('--ready', 'say only whether it is ready; when not, why, with exit code 1')
    .addOption(adminOption())
    .addOption(jsonOption())
    .action((options: StatusOptions) => status(clientDeps(options), options));
}

export async function status(deps: ClientDeps, options: StatusOptions): Promise<void> {
  if (options.ready === true) return sayWhetherReady(deps, options);
  const { client, output } = deps;
  const document = (await client.get('/v1/status')) as StatusDocument;
  output.write(options.json === true ? formatJson(document) : formatStatus(output, document));
}

/** Rejects with a RuntimeError that has the reasons when the agent is not ready. */
async function sayWhetherReady(
  { client, output }: ClientDeps,
  options: StatusOptions,
): Promise<void> {
  const readiness = (await client.get('/readyz', 503)) as Readiness;
  if (options.json === true) output.write(formatJson(readiness));
  else if (readiness.ready) output.write('ready\n');
  if (!readiness.ready) throw new RuntimeError(notReady(readiness));
}

function notReady({ reasons }: Readiness): string {
  return printable(`not ready: ${reasons.join('; ')}`);
}

function formatStatus(output: Output, document: StatusDocument): string {
  const parts = [formatAgent(output, document)];
  if (document.life.drain !== null) parts.push(formatDrain(output, document.life.drain));
  if (document.local.length > 0) parts.push(formatLocal(output, document.local));
  if (document.services.length > 0) parts.push(formatUses(output, document.services));
  return parts.join('\n');
}

function formatAgent(output: Output, document: StatusDocument): string {
  const { agent, life, readiness, registries, workers } = document;
  const ready = readiness.ready
    ? paint(output, 'ready', 'good')
    : paint(output, notReady(readiness), 'bad');
  const name = paint(output, printable(agent.name ?? 'proxy only'), 'bold');
  const process = `pid ${agent.pid}, up ${formatAge(agent.uptimeMs)}`;
  return [
    `${name}  outrigger ${printable(agent.version)}, ${process}, ${life.state}, ${ready}`,
    `proxy     ${printable(agent.proxyUrl ?? 'does not listen yet')}`,
    `admin     ${printable(agent.adminUrl)}`,
    ...registries.map(
      (registry) =>
        `registry  ${printable(registry.url)}  ${formatRegistryState(output, registry)}`,
    ),
    ...(workers === null ? [] : [`workers   ${formatWorkers(output, workers)}`]),
    '',
  ].join('\n');
}

function formatRegistryState(output: Output, registry: RegistryStatus): string {
  const { state, stateAgeMs, lastError, registers, discovers } = registry;
  const use =
    registers && discovers
      ? ''
      : registers
        ? ', registers only'
        : discovers
          ? ', discovers only'
          : ', not used';
  const text = `${state} for ${formatAge(stateAgeMs)}${use}`;
  if (state === 'up') return paint(output, text, 'good');
  const cause = lastError === null ? '' : `: ${lastError.message}`;
  return paint(output, printable(text + cause), state === 'unknown' ? 'plain' : 'bad');
}

function formatWorkers(output: Output, { wanted, lost, processes }: WorkersStatus): string {
  const serving = processes.filter(({ state }) => state === 'serving').length;
  const text = `${serving} of ${wanted} serve`;
  const all = paint(output, text, serving === wanted ? 'good' : 'bad');
  return lost === 0 ? all : `${all}, ${lost} lost since the start`;
}

function formatDrain(output: Output, drain: DrainStatus): string {
  const { cause, elapsedMs, budgetMs, phases } = drain;
  const title = `draining (${cause}) for ${formatAge(elapsedMs)} of ${formatAge(budgetMs)}`;
  const rows = phases.map(({ phase, state, outcome, durationMs }) => [
    phase,
    { text: outcome ?? state, tone: state === 'active' ? ('bold' as const) : ('plain' as const) },
    durationMs === null ? '-' : formatAge(durationMs),
  ]);
  return `${printable(title)}\n${formatTable(output, ['PHASE', 'STATE', 'TIME'], rows)}`;
}

function formatLocal(output: Output, local: readonly LocalServiceStatus[]): string {
  const rows = local.flatMap(({ service, id, address, health, leases }) => {
    const common = [{ text: service, tone: 'bold' as const }, id, address, healthCell(health)];
    if (leases.length === 0) return [[...common, 'by others', '-', '-', '-']];
    return leases.map((lease) => [
      ...common,
      leaseCell(lease),
      `${lease.renewalsOk} ok, ${lease.renewalsFailed} failed`,
      String(lease.losses),
      schemeOf(lease.registry),
    ]);
  });
  const head = [
    'REGISTERS',
    'INSTANCE',
    'ADDRESS',
    'HEALTH',
    'LEASE',
    'HEARTBEATS',
    'LOSSES',
    'IN',
  ];
  return formatTable(output, head, rows);
}

function schemeOf(url: string): string {
  return url.slice(0, url.indexOf(':') + 1);
}

function healthCell({ state, failing }: LocalServiceStatus['health']): Cell {
  const tones: Readonly<Record<typeof state, Tone>> = {
    unknown: 'plain',
    healthy: 'good',
    unhealthy: 'bad',
  };
  const causes = failing.map(({ probe, cause }) => `${probe}: ${cause}`).join('; ');
  return { text: causes === '' ? state : `${state} (${causes})`, tone: tones[state] };
}

function leaseCell({ state, lastError }: LeaseStatus): Cell {
  if (lastError !== null) return { text: `${state} (${lastError.message})`, tone: 'bad' };
  return { text: state, tone: state === 'active' ? 'good' : 'plain' };
}

function formatUses(output: Output, services: readonly UseSummaryDocument[]): string {
  const rows = services.map(({ service, snapshot, endpoints, traffic }) => {
    const out = endpoints.ejected + endpoints.probing;
    const requests = traffic.requests.reduce((sum, { count }) => sum + count, 0);
    const failures = traffic.requests
      .filter(({ code, reason }) => reason !== null || code >= 500)
      .reduce((sum, { count }) => sum + count, 0);
    const age = snapshot.ageMs === null ? '' : ` ${formatAge(snapshot.ageMs)}`;
    return [
      { text: service, tone: 'bold' as const },
      { text: `${snapshot.state}${age}`, tone: snapshot.state === 'live' ? 'good' : 'bad' },
      { text: `${endpoints.healthy} in, ${out} out`, tone: out === 0 ? 'plain' : 'bad' },
      String(requests),
      { text: String(failures), tone: failures === 0 ? 'plain' : 'bad' },
      String(traffic.retries),
      String(traffic.inFlight),
      boundText(traffic.latency.p50Ms),
      boundText(traffic.latency.p99Ms),
    ] satisfies (Cell | string)[];
  });
  const head = ['CALLS', 'LIST', 'INSTANCES', 'REQUESTS', 'FAILED', 'RETRIES', 'IN FLIGHT'];
  return formatTable(output, [...head, 'P50', 'P99'], rows);
}

function boundText(boundMs: number | null): string {
  return boundMs === null ? '-' : `≤${boundMs}ms`;
}
