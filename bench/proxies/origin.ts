// The instances behind every proxy: one nginx that listens on many ports and answers with a few bytes, 100 KB or 10 MB, and
// hands on WebSockets to a server that echoes.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nginxCommand, webSocketLocation } from './nginx.ts';

/** The small reply's body; it ends the reply whatever a proxy does to the head. */
export const smallBody = 'hello\n';

const echoScript = fileURLToPath(new URL('../echo-websocket.ts', import.meta.url));

export function echoCommand(port: number): string[] {
  return [process.execPath, '--import', 'tsx', echoScript, String(port)];
}

/** Without a port of an echo server there are no WebSockets. */
export function originCommand(
  directory: string,
  ports: readonly number[],
  echoPort?: number,
): string[] {
  const files = join(directory, 'files');
  mkdirSync(files, { recursive: true });
  writeFileSync(join(files, '100k'), Buffer.alloc(100_000, 'x'));
  writeFileSync(join(files, '10m'), Buffer.alloc(10_000_000, 'x'));
  return nginxCommand(
    directory,
    `sendfile on;
server {
${ports.map((port) => `listen 127.0.0.1:${port} backlog=1024;\n`).join('')}
default_type text/plain;
location = / { return 200 "${smallBody.replace('\n', '\\n')}"; }
location / { root ${files}; }
${echoPort === undefined ? '' : webSocketLocation('/echo', `127.0.0.1:${echoPort}`)}
}`,
  );
}
