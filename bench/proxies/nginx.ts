// nginx: one process, connections to instances kept open, nothing written to disk.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { missingProgram, requireProgram } from './programs.ts';
import type { Place, Proxy } from './proxy.ts';

export const nginx: Proxy = {
  name: 'nginx',
  missing: () => missingProgram('nginx', 'Debian has it as nginx-light'),
  command: (place) => nginxCommand(place.directory, proxying(place)),
};

/** The command line of an nginx with this `http` block. */
export function nginxCommand(directory: string, http: string): string[] {
  const file = join(directory, 'nginx.conf');
  writeFileSync(
    file,
    `daemon off;
master_process off;
pid ${directory}/pid;
error_log stderr crit;
worker_rlimit_nofile 16384;
events { worker_connections 8192; }
http {
access_log off;
keepalive_requests 1000000000;
keepalive_timeout 300s;
client_body_temp_path ${directory}/body;
proxy_temp_path ${directory}/proxy;
fastcgi_temp_path ${directory}/fastcgi;
uwsgi_temp_path ${directory}/uwsgi;
scgi_temp_path ${directory}/scgi;
${http}
}
`,
  );
  return [requireProgram('nginx'), '-p', directory, '-c', file, '-e', 'stderr'];
}

/** A location that hands upgrades on. Other requests are not to pay for its headers. */
export function webSocketLocation(path: string, to: string): string {
  return `location = ${path} {
proxy_pass http://${to};
proxy_http_version 1.1;
proxy_set_header Host $http_host;
proxy_set_header Upgrade $http_upgrade;
proxy_set_header Connection upgrade;
proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
}`;
}

function proxying({ port, originPorts }: Place): string {
  return `upstream web {
${originPorts.map((origin) => `server 127.0.0.1:${origin};\n`).join('')}
keepalive 1024;
keepalive_requests 1000000000;
}
server {
listen 127.0.0.1:${port} backlog=1024;
location / {
proxy_pass http://web;
proxy_http_version 1.1;
proxy_set_header Host $http_host;
proxy_set_header Connection "";
proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
proxy_max_temp_file_size 0;
}
${webSocketLocation('/echo', 'web')}
}`;
}
