// When an agent cannot listen: whether it is another agent that listens there.
import type { StatusDocument } from '../admin/documents.ts';
import type { AgentStatus } from '../admin/view.ts';
import type { Config } from '../config/config.ts';
import { formatAddress, type Address } from '../core/address.ts';
import { ConfigError } from '../core/errors.ts';
import { takenAddress } from '../proxy/listening.ts';
import { AdminClient, defaultAdmin, parseAdminAddress } from './client.ts';

/** Nobody who starts a second agent by mistake should wait for its refusal. */
const answerMsMax = 500;

/** The failure of a start; a taken address is explained by the agent that has it, if there is one. Never rejects. */
export async function explainFailedStart(
  error: unknown,
  { admin, listen }: Pick<Config, 'admin' | 'listen'>,
): Promise<unknown> {
  const places = [
    { flag: '--admin', address: admin, urlOf: ({ adminUrl }: AgentStatus) => adminUrl },
    { flag: '--listen', address: listen, urlOf: ({ proxyUrl }: AgentStatus) => proxyUrl },
  ];
  const taken = places.find(
    ({ flag, address }) =>
      error instanceof ConfigError &&
      error.message.startsWith(`${flag} ${formatAddress(address)}: ${takenAddress}`),
  );
  if (taken === undefined) return error;
  for (const asked of [admin, parseAdminAddress(defaultAdmin)]) {
    const other = await agentAt(asked);
    if (other === undefined || portOf(taken.urlOf(other)) !== taken.address.port) continue;
    const name = other.name === null ? '' : `, ${other.name}`;
    return new ConfigError(
      `${taken.flag} ${formatAddress(taken.address)}: an agent (pid ${other.pid}${name}) runs there; give this one --listen and --admin of its own`,
      { cause: error },
    );
  }
  return error;
}

async function agentAt(address: Address): Promise<AgentStatus | undefined> {
  try {
    const client = new AdminClient(parseAdminAddress(formatAddress(address)));
    const answer = await client.ask('GET', '/v1/status', AbortSignal.timeout(answerMsMax));
    if (answer.kind === 'absent' || answer.status !== 200) return undefined;
    return (answer.document as StatusDocument).agent;
  } catch {
    // Something else listens there, or the port is to be any free one.
    return undefined;
  }
}

function portOf(url: string | null): number {
  return url === null ? NaN : Number(new URL(url).port);
}
