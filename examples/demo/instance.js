// Starts an app with its agent, as one would by hand: outrigger run --name NAME --port PORT -- node app.js
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { get } from 'node:http';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const outrigger = fileURLToPath(new URL('../../bin/outrigger.js', import.meta.url));

/** Two agents on one host need different ports; 0 means any free one. */
const anyPort = '127.0.0.1:0';

/** Below the ports that the system gives to outgoing connections: none of those can take it in the meantime. */
async function freePort() {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const server = createServer().listen(port, '127.0.0.1');
    const free = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    if (!free) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}

/** Resolves when the app is registered; `label` tells the instances of one service apart. */
export async function startInstance({ service, label, script, directory }) {
  const port = await freePort();
  const agent = spawn(
    process.execPath,
    [
      ...[outrigger, 'run', '--name', service, '--port', String(port)],
      ...['--listen', anyPort, '--admin', anyPort, '--log-level', 'warn'],
      ...['--registry', `file://${directory}/registry`, '--state-dir', `${directory}/state`],
      ...['--health-interval', '500ms', '--', process.execPath, script, String(port), label],
    ],
    // A process group of its own: a Ctrl-C reaches the demonstration alone, which then stops everything.
    { stdio: ['ignore', 'pipe', 'inherit'], detached: true },
  );
  const exited = once(agent, 'exit');
  const ready = await readyLine(agent);
  const [, admin = ''] = /admin=(\S+)/.exec(ready) ?? [];
  while ((await statusOf(`${admin}/readyz`)) !== 200) await sleep(50);
  return { service, label, port, admin, agent, exited };
}

async function readyLine(agent) {
  for await (const line of createInterface({ input: agent.stdout })) {
    if (line.startsWith('ready ')) return line;
  }
  throw new Error('the agent ended before it was ready');
}

function statusOf(url) {
  return new Promise((resolve, reject) => {
    get(url, { agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).on('error', reject);
  });
}
