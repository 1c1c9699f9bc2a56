// `outrigger explain SERVICE`: which instance a call would go to, and why no other one.
import type { Command } from 'commander';
import type { Explanation, Verdict } from '../../admin/view.ts';
import {
  adminOption,
  clientDeps,
  jsonOption,
  requireServiceName,
  type ClientDeps,
  type ClientOptions,
} from '../client-command.ts';
import { formatAge, formatJson, formatTable, paint, printable, type Output } from '../output.ts';

export interface ExplainOptions extends ClientOptions {
  readonly tag?: string;
}

export function registerExplain(program: Command): void {
  program
    .command('explain')
    .argument('<service>')
    .description('say which instance would be called, and why each other one would not')
    .option('--tag <tag>', 'call only instances with this tag')
    .addOption(adminOption())
    .addOption(jsonOption())
    .action((service: string, options: ExplainOptions) =>
      explain(clientDeps(options), service, options),
    );
}

export async function explain(
  { client, output }: ClientDeps,
  service: string,
  options: ExplainOptions,
): Promise<void> {
  const name = requireServiceName(service);
  const suffix = options.tag === undefined ? '' : `?tag=${encodeURIComponent(options.tag)}`;
  const explanation = (await client.get(`/v1/explain/${name}${suffix}`)) as Explanation;
  output.write(
    options.json === true ? formatJson(explanation) : formatExplanation(output, explanation),
  );
}

const tones = { chosen: 'good', candidate: 'plain', excluded: 'dim' } as const;

function formatExplanation(output: Output, explanation: Explanation): string {
  const { service, reason, summary, snapshot, balance, instances } = explanation;
  const decision = printable(`${service}: ${summary}${reason === null ? '' : ` (${reason})`}`);
  const age =
    snapshot.ageMs === null ? 'never confirmed' : `confirmed ${formatAge(snapshot.ageMs)} ago`;
  const held = snapshot.held === 0 ? '' : `, ${snapshot.held} held`;
  const list = `list ${snapshot.state}, ${age}${held}; balancing ${balance}`;
  const lines = [paint(output, decision, reason === null ? 'good' : 'bad'), printable(list)];
  const table = instances.length === 0 ? '' : `\n${formatVerdicts(output, instances)}`;
  return `${lines.join('\n')}\n${table}`;
}

function formatVerdicts(output: Output, verdicts: readonly Verdict[]): string {
  const rows = verdicts.map(({ id, address, verdict, because }) => [
    id,
    address,
    { text: verdict, tone: tones[verdict] },
    because,
  ]);
  return formatTable(output, ['INSTANCE', 'ADDRESS', 'VERDICT', 'BECAUSE'], rows);
}
