// Traefik: routes from a file that it does not watch.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { byInstall, missingProgram, requireProgram } from './programs.ts';
import type { Place, Proxy } from './proxy.ts';

export const traefik: Proxy = {
  name: 'Traefik',
  missing: () => missingProgram('traefik', byInstall),
  command: (place) => {
    const file = join(place.directory, 'routes.yaml');
    // JSON is YAML.
    writeFileSync(file, JSON.stringify(routes(place)));
    return [
      requireProgram('traefik'),
      `--entrypoints.in.address=127.0.0.1:${place.port}`,
      `--providers.file.filename=${file}`,
      '--providers.file.watch=false',
      '--serverstransport.maxidleconnsperhost=1024',
      '--log.level=ERROR',
      '--global.checknewversion=false',
      '--global.sendanonymoususage=false',
    ];
  },
};

function routes({ originPorts }: Place): unknown {
  const servers = originPorts.map((origin) => ({ url: `http://127.0.0.1:${origin}` }));
  return {
    http: {
      routers: { all: { rule: 'PathPrefix(`/`)', entryPoints: ['in'], service: 'web' } },
      services: { web: { loadBalancer: { servers } } },
    },
  };
}
