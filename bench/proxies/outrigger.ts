// Outrigger itself: as it is, with all requests on the general lane, and on other versions of Node.
import { fileURLToPath } from 'node:url';
import { byInstall, findNode } from './programs.ts';
import type { Place, Proxy } from './proxy.ts';

const program = fileURLToPath(new URL('../../bin/outrigger.js', import.meta.url));

export const outrigger: Proxy = {
  name: 'Outrigger',
  missing: () => undefined,
  command: (place) => command(place),
};

export const outriggerGeneral: Proxy = {
  name: 'Outrigger general lane',
  missing: () => undefined,
  command: (place) => [...command(place), '--no-fast-lane'],
};

/** Run by another version of Node, such as 22. */
export function outriggerOn(version: string): Proxy {
  const missing = `Node ${version} is not installed; ${byInstall}`;
  return {
    name: `Outrigger on Node ${version}`,
    missing: () => (findNode(version) === undefined ? missing : undefined),
    command: (place) => {
      const node = findNode(version);
      if (node === undefined) throw new Error(missing);
      return [node, ...command(place).slice(1)];
    },
  };
}

/** The command line of an agent that only proxies. */
export function agentCommand(registry: string, port: number, adminPort = 0): string[] {
  const addresses = ['--listen', `127.0.0.1:${port}`, '--admin', `127.0.0.1:${adminPort}`];
  const flags = ['--state-dir', 'none', '--log-level', 'error'];
  return [process.execPath, program, 'run', '--registry', registry, ...addresses, ...flags];
}

function command({ port, originPorts }: Place): string[] {
  const instances = originPorts.map((origin) => `127.0.0.1:${origin}`).join(',');
  return agentCommand(`static:web=${instances}`, port);
}
