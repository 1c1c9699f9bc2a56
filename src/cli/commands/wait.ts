// `outrigger wait SERVICE...`: ends when each service has an instance that can be called.
import type { Command } from 'commander';
import type { ServiceDocument } from '../../admin/documents.ts';
import type { FailureDocument } from '../../admin/reply.ts';
import { formatDurationMs } from '../../core/durations.ts';
import { RuntimeError } from '../../core/errors.ts';
import {
  adminOption,
  clientDeps,
  jsonOption,
  requireDurationMs,
  requireServiceName,
  type ClientDeps,
  type ClientOptions,
} from '../client-command.ts';
import { formatJson } from '../output.ts';

export interface WaitOptions extends ClientOptions {
  readonly timeout: string;
}

/** What `--json` prints, also at the time-out. */
export interface WaitDocument {
  readonly available: readonly string[];
  readonly missing: readonly { readonly service: string; readonly why: string }[];
}

export function registerWait(program: Command): void {
  program
    .command('wait')
    .argument('<service...>')
    .description('wait until each service has an instance that can be called')
    .option('--timeout <duration>', 'give up after this time', '30s')
    .addOption(adminOption())
    .addOption(jsonOption())
    .action((services: string[], options: WaitOptions) =>
      wait(clientDeps(options), services, options),
    );
}

const pollMs = 250;

/** Also waits for the agent itself. Rejects at the time-out with a RuntimeError that names what is missing, and why. */
export async function wait(
  deps: ClientDeps,
  services: readonly string[],
  options: WaitOptions,
): Promise<void> {
  const names = [...new Set(services.map(requireServiceName))];
  const timeoutMs = requireDurationMs('--timeout', options.timeout);
  const missing = await pollUntil(deps, names, deps.clock.nowMs() + timeoutMs);
  const available = names.filter((name) => !missing.has(name));
  if (options.json === true) {
    const whys = [...missing].map(([service, why]) => ({ service, why }));
    const document: WaitDocument = { available, missing: whys };
    deps.output.write(formatJson(document));
  } else if (missing.size === 0) {
    deps.output.write(`available: ${available.join(', ')}\n`);
  }
  if (missing.size > 0) throw new RuntimeError(describe(missing, timeoutMs));
}

/** Asks for all, then again for those missing; what is left at the end, with the reasons. Asks at least once. */
async function pollUntil(
  deps: ClientDeps,
  names: readonly string[],
  endMs: number,
): Promise<ReadonlyMap<string, string>> {
  let missing = new Map(names.map((name) => [name, '']));
  for (;;) {
    const answers = await Promise.all(
      [...missing.keys()].map(async (name) => [name, await whyMissing(deps, name)] as const),
    );
    missing = new Map(answers.filter((answer): answer is [string, string] => answer[1] !== ''));
    const leftMs = endMs - deps.clock.nowMs();
    if (missing.size === 0 || leftMs <= 0) return missing;
    await deps.clock.sleep(Math.min(pollMs, leftMs));
  }
}

/** Empty when the service can be called. */
async function whyMissing({ client }: ClientDeps, name: string): Promise<string> {
  const answer = await client.ask('GET', `/v1/services/${name}`);
  if (answer.kind === 'absent') return client.absence().message;
  if (answer.status !== 200) return (answer.document as FailureDocument).error.message;
  return whyNotCallable(answer.document as ServiceDocument);
}

function whyNotCallable({ instances, use }: ServiceDocument): string {
  const endpoints = use?.endpoints ?? [];
  const ejected = new Set(endpoints.filter(({ state }) => state !== 'healthy').map(({ id }) => id));
  const all = [...instances, ...endpoints].filter(({ weight }) => weight > 0);
  if (all.length === 0) return 'it has no instance';
  return all.every(({ id }) => ejected.has(id)) ? 'its instances are ejected' : '';
}

function describe(missing: ReadonlyMap<string, string>, timeoutMs: number): string {
  const within = `not available within ${formatDurationMs(timeoutMs)}`;
  const whys = new Set(missing.values());
  // One reason for all of them, such as an agent that is not there, is said once.
  if (whys.size === 1) return `${within}: ${[...missing.keys()].join(', ')}: ${[...whys].join()}`;
  return `${within}: ${[...missing].map(([name, why]) => `${name} (${why})`).join(', ')}`;
}
