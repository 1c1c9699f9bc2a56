// The collaborators of a client command in a test: a real client, and an output that is kept.
import type { AgentView } from '../../src/admin/view.ts';
import type { ClientDeps } from '../../src/cli/client-command.ts';
import { AdminClient } from '../../src/cli/client.ts';
import { systemClock } from '../../src/core/clock.ts';
import { withAdmin } from './admin.ts';

export interface Bench extends ClientDeps {
  /** What has been written. */
  text(): string;
}

export function bench(
  address: { host: string; port: number },
  parts: Partial<ClientDeps> = {},
): Bench {
  let text = '';
  return {
    client: new AdminClient(address),
    output: { write: (more) => void (text += more), color: false },
    clock: systemClock,
    openDriver: () => Promise.reject(new Error('no registry is asked here')),
    text: () => text,
    ...parts,
  };
}

/** Runs the command against an agent with this view; returns what it wrote. */
export async function run(
  view: AgentView,
  command: (deps: Bench) => Promise<void>,
  parts: Partial<ClientDeps> = {},
): Promise<string> {
  let text = '';
  await withAdmin(view, async ({ address }) => {
    const deps = bench(address, parts);
    await command(deps);
    text = deps.text();
  });
  return text;
}

/** Nothing listens there. */
export const nobody = { host: '127.0.0.1', port: 1 };
