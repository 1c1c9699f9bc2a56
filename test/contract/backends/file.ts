// The file registry under the driver contract.
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { ContractBackend, ContractRegistry } from '../backend.ts';

const noServer = 'a directory has no server';

const backend: ContractBackend = {
  ttlMs: 2000,
  heartbeatMs: 600,
  available: () => undefined,
  without: { restartWithData: noServer, pause: noServer, dropSilently: noServer },
  open: openRegistry,
  close: () => Promise.resolve(),
};

async function openRegistry(): Promise<ContractRegistry> {
  const parent = await mkdtemp(join(tmpdir(), 'outrigger-file-'));
  const directory = join(parent, 'registry');
  const writableByAll = join(parent, 'writable-by-all');
  await mkdir(writableByAll);
  await chmod(writableByAll, 0o777);
  let foreign = 0;
  return {
    url: urlOf(directory),
    wrongPasswordUrl: urlOf(writableByAll),
    restartEmpty: () => removeTree(directory),
    async writeForeignRecord(service, text) {
      const folder = join(directory, 'svc', service);
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, `foreign-${++foreign}.json`), text);
    },
    close: () => removeTree(parent),
  };
}

function urlOf(directory: string): string {
  return `${pathToFileURL(directory).href}?ttl=2s&heartbeat=600ms`;
}

/** Agents may write while it is removed. */
function removeTree(path: string): Promise<void> {
  return rm(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 5 });
}

export const fileBackend: ContractBackend = backend;
