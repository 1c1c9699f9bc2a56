// `outrigger services`: the names of all services.
import type { Command } from 'commander';
import { servicesDocument, type ServicesDocument } from '../../admin/documents.ts';
import {
  adminOption,
  askRegistry,
  clientDeps,
  jsonOption,
  registryOption,
  type ClientDeps,
  type ClientOptions,
} from '../client-command.ts';
import { formatJson, formatTable, paint, printable } from '../output.ts';

export interface ServicesOptions extends ClientOptions {
  readonly registry?: string;
}

export function registerServices(program: Command): void {
  program
    .command('services')
    .description('list the services that the registry knows')
    .addOption(adminOption())
    .addOption(registryOption())
    .addOption(jsonOption())
    .action((options: ServicesOptions) => services(clientDeps(options), options));
}

export async function services(deps: ClientDeps, options: ServicesOptions): Promise<void> {
  const { output } = deps;
  const document = await readServices(deps, options.registry);
  output.write(options.json === true ? formatJson(document) : formatServices(deps, document));
}

async function readServices(
  deps: ClientDeps,
  registry: string | undefined,
): Promise<ServicesDocument> {
  if (registry === undefined) return (await deps.client.get('/v1/services')) as ServicesDocument;
  const names = await askRegistry(deps, registry, (driver, signal) => driver.names(signal));
  const nothingHere = { localServices: () => [], usedServices: () => [] };
  return servicesDocument(names, nothingHere, null);
}

function formatServices({ output }: ClientDeps, document: ServicesDocument): string {
  const rows = document.services.map(({ name, local, inUse, instances, state }) => [
    { text: name, tone: 'bold' as const },
    instances === null ? '-' : String(instances),
    state ?? '-',
    [...(local ? ['registered here'] : []), ...(inUse ? ['in use'] : [])].join(', '),
  ]);
  const table =
    rows.length === 0
      ? 'no services\n'
      : formatTable(output, ['SERVICE', 'INSTANCES', 'LIST', 'AGENT'], rows);
  if (document.registryError === null) return table;
  const message = `the registry cannot be asked: ${document.registryError.message}`;
  return `${table}${paint(output, printable(message), 'bad')}\n`;
}
