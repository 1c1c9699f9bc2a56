// Caddy: its reverse proxy without TLS, admin API and stored state.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { byInstall, missingProgram, requireProgram } from './programs.ts';
import type { Place, Proxy } from './proxy.ts';

export const caddy: Proxy = {
  name: 'Caddy',
  missing: () => missingProgram('caddy', `${byInstall}, or Debian's caddy`),
  command: (place) => {
    const file = join(place.directory, 'Caddyfile');
    writeFileSync(file, configuration(place));
    return [requireProgram('caddy'), 'run', '--config', file, '--adapter', 'caddyfile'];
  },
};

function configuration({ port, originPorts, directory }: Place): string {
  return `{
	admin off
	auto_https off
	persist_config off
	servers {
		protocols h1 h2c
	}
	storage file_system ${directory}
	log {
		level ERROR
	}
}
http://:${port} {
	bind 127.0.0.1
	reverse_proxy ${originPorts.map((origin) => `127.0.0.1:${origin}`).join(' ')} {
		transport http {
			keepalive_idle_conns_per_host 1024
		}
	}
}
`;
}
