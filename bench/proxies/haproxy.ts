// HAProxy: one thread, connections to instances shared by all clients, the better of two random instances.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { missingProgram, requireProgram } from './programs.ts';
import type { Place, Proxy } from './proxy.ts';

export const haproxy: Proxy = {
  name: 'HAProxy',
  missing: () => missingProgram('haproxy', 'Debian has it as haproxy'),
  command: (place) => {
    const file = join(place.directory, 'haproxy.cfg');
    writeFileSync(file, configuration(place));
    return [requireProgram('haproxy'), '-db', '-f', file];
  },
};

function configuration({ port, originPorts }: Place): string {
  return `global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
  option forwardfor
frontend in
  bind 127.0.0.1:${port}
  default_backend web
backend web
  balance random
${originPorts.map((origin) => `  server s${origin} 127.0.0.1:${origin}\n`).join('')}`;
}
