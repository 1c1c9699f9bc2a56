// `outrigger instances SERVICE`: who is registered, and how the agent sees each.
import type { Command } from 'commander';
import {
  serviceDocument,
  type InstanceDocument,
  type ServiceDocument,
} from '../../admin/documents.ts';
import type { EndpointStatus } from '../../admin/view.ts';
import {
  adminOption,
  askRegistry,
  clientDeps,
  jsonOption,
  noSuchService,
  registryOption,
  requireServiceName,
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
} from '../output.ts';

export interface InstancesOptions extends ClientOptions {
  readonly registry?: string;
}

export function registerInstances(program: Command): void {
  program
    .command('instances')
    .argument('<service>')
    .description('list the instances of a service')
    .addOption(adminOption())
    .addOption(registryOption())
    .addOption(jsonOption())
    .action((service: string, options: InstancesOptions) =>
      instances(clientDeps(options), service, options),
    );
}

export async function instances(
  deps: ClientDeps,
  service: string,
  options: InstancesOptions,
): Promise<void> {
  const name = requireServiceName(service);
  const document =
    options.registry === undefined
      ? ((await deps.client.get(`/v1/services/${name}`)) as ServiceDocument)
      : await readDirectly(deps, options.registry, name);
  const { output } = deps;
  output.write(options.json === true ? formatJson(document) : formatInstances(output, document));
}

function readDirectly(deps: ClientDeps, registry: string, name: string): Promise<ServiceDocument> {
  return askRegistry(deps, registry, async (driver, signal) => {
    const reading = await driver.read(name, signal);
    if (reading.instances.length === 0) {
      const names = await driver.names(signal);
      if (!names.includes(name)) throw noSuchService(name, names);
    }
    return serviceDocument(name, reading, undefined, null);
  });
}

function formatInstances(output: Output, document: ServiceDocument): string {
  const endpoints = new Map(document.use?.endpoints.map((endpoint) => [endpoint.id, endpoint]));
  const listed = new Set(document.instances.map(({ id }) => id));
  const unlisted = [...endpoints.values()].filter(({ id }) => !listed.has(id));
  const rows = [
    ...document.instances.map((entry) => row(entry, endpoints.get(entry.id))),
    ...unlisted.map((endpoint) => row(endpoint, endpoint)),
  ];
  const head = ['INSTANCE', 'ADDRESS', 'WEIGHT', 'TAGS', 'ZONE', 'VERSION', 'STATE'];
  const table =
    rows.length === 0
      ? `${document.service} has no instance\n`
      : formatTable(output, [...head, 'LATENCY', 'IN FLIGHT'], rows);
  return table + remarks(output, document, unlisted.length);
}

function row(
  entry: InstanceDocument | EndpointStatus,
  endpoint: EndpointStatus | undefined,
): (Cell | string)[] {
  const latencyMs = endpoint?.latencyMs ?? null;
  return [
    { text: entry.id, tone: 'bold' },
    entry.address,
    String(entry.weight),
    entry.tags.join(',') || '-',
    entry.zone ?? '-',
    entry.version ?? '-',
    stateCell(endpoint),
    latencyMs === null ? '-' : `${latencyMs.toFixed(1)}ms`,
    endpoint === undefined ? '-' : String(endpoint.outstanding),
  ];
}

function stateCell(endpoint: EndpointStatus | undefined): Cell {
  if (endpoint === undefined) return { text: 'not in use', tone: 'dim' };
  const { state, ejectedForMs, cause } = endpoint;
  if (state === 'healthy') return { text: state, tone: 'good' };
  const time = ejectedForMs === null ? '' : ` for ${formatAge(ejectedForMs)}`;
  return { text: `${state}${time} (${cause ?? 'no cause'})`, tone: 'bad' };
}

/** What a list alone does not say: how far it can be trusted. */
function remarks(output: Output, document: ServiceDocument, unlisted: number): string {
  const { registryError, malformed, use } = document;
  const lines: string[] = [];
  if (registryError !== null) {
    const ageMs = use?.snapshot.ageMs ?? null;
    const age = ageMs === null ? '' : `; the list is ${formatAge(ageMs)} old`;
    lines.push(`the registry cannot be asked: ${registryError.message}${age}`);
  } else if (unlisted > 0) {
    lines.push(`${unlisted} of these are no longer in the registry's list`);
  }
  if (malformed > 0) lines.push(`${malformed} records of the registry are no instances`);
  return lines.map((line) => `${paint(output, printable(line), 'bad')}\n`).join('');
}
