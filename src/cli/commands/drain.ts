// `outrigger drain`: makes the agent leave the registry, finish its work and exit.
import type { Command } from 'commander';
import type { DrainDocument, StatusDocument } from '../../admin/documents.ts';
import type { LifeStatus } from '../../admin/view.ts';
import { formatDurationMs } from '../../core/durations.ts';
import { RuntimeError } from '../../core/errors.ts';
import {
  adminOption,
  clientDeps,
  jsonOption,
  type ClientDeps,
  type ClientOptions,
} from '../client-command.ts';
import { formatAge, formatJson, printable } from '../output.ts';

export interface DrainOptions extends ClientOptions {
  readonly wait?: boolean;
}

export function registerDrain(program: Command): void {
  program
    .command('drain')
    .description('drain the running agent: deregister, finish, exit')
    .option('--wait', 'end only when the agent has exited')
    .addOption(adminOption())
    .addOption(jsonOption())
    .action((options: DrainOptions) => drain(clientDeps(options), options));
}

/** Most phases are short, and the agent is gone soon after the last one. */
const pollMs = 50;
/** Time beyond its own budget that an agent may take, and the budget when it does not say. */
const graceMs = 10_000;
const unknownBudgetMs = 60_000;

export async function drain(deps: ClientDeps, options: DrainOptions): Promise<void> {
  const { client, output } = deps;
  const before = (await client.get('/v1/status')) as StatusDocument;
  const { life } = (await client.post('/v1/drain')) as DrainDocument;
  if (options.wait !== true) {
    output.write(options.json === true ? formatJson({ life }) : 'draining\n');
    return;
  }
  const tell = options.json === true ? () => undefined : phaseTeller(deps);
  tell(life);
  const last = await untilGone(deps, { agent: before.agent, life }, tell);
  output.write(
    options.json === true ? formatJson({ life: last }) : `${formatUnseen(last)}stopped\n`,
  );
}

/** Polls until no agent answers, or another one does. The last state that was seen. */
async function untilGone(
  { client, clock }: ClientDeps,
  draining: { readonly agent: StatusDocument['agent']; readonly life: LifeStatus },
  tell: (life: LifeStatus) => void,
): Promise<LifeStatus> {
  const timeoutMs = (draining.life.drain?.budgetMs ?? unknownBudgetMs) + graceMs;
  const endMs = clock.nowMs() + timeoutMs;
  let last = draining.life;
  while (clock.nowMs() < endMs) {
    const answer = await client.ask('GET', '/v1/status');
    if (answer.kind === 'absent') return last;
    if (answer.status === 200) {
      const { agent, life } = answer.document as StatusDocument;
      // In containers every agent has the same pid.
      const { pid, startedAt } = draining.agent;
      if (agent.pid !== pid || agent.startedAt !== startedAt) return last;
      last = life;
      tell(life);
    }
    await clock.sleep(pollMs);
  }
  throw new RuntimeError(`the agent is still there after ${formatDurationMs(timeoutMs)}`);
}

/** Writes how each phase ended, once; and that one has begun, when it lasts until it is looked at. */
function phaseTeller({ output }: ClientDeps): (life: LifeStatus) => void {
  const told = new Set<string>();
  return ({ drain: status }) => {
    const begun = status?.phases.filter(({ state }) => state !== 'waiting') ?? [];
    for (const { phase, outcome, durationMs } of begun) {
      const end = outcome === null ? '…' : `${outcome} (${formatAge(durationMs ?? 0)})`;
      const line = `${printable(`${phase} ${end}`)}\n`;
      if (!told.has(line)) output.write(line);
      told.add(line);
    }
  };
}

/** The phases that began after the last look: without their outcome, which only the agent's log has. */
function formatUnseen({ drain: status }: LifeStatus): string {
  const unseen = status?.phases.filter(({ state }) => state === 'waiting') ?? [];
  return unseen.map(({ phase }) => `${printable(phase)} …\n`).join('');
}
