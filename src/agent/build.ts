// The composition root: every part of the agent, made and joined from top to bottom.
import { AdminServer } from '../admin/server.ts';
import type { Config, ServiceConfig } from '../config/config.ts';
import { systemClock as clock } from '../core/clock.ts';
import type { Logger } from '../core/logger.ts';
import { systemRandom as random } from '../core/random.ts';
import type { DnsServer } from '../dns/server.ts';
import { HealthCheck } from '../health/health-check.ts';
import { createProbe } from '../health/probe-table.ts';
import { ExternalUpstreams } from '../proxy/external.ts';
import { Proxy } from '../proxy/proxy.ts';
import { openDriver } from '../registry/open.ts';
import { Registries, type RegistryMember } from '../registry/registries.ts';
import { Registrar } from '../registry/registrar.ts';
import { Registry } from '../registry/registry.ts';
import { redactUrl } from '../registry/url.ts';
import { tcpProber } from '../upstream/prober.ts';
import { SnapshotFiles } from '../upstream/snapshot-files.ts';
import { Upstreams } from '../upstream/upstreams.ts';
import { advertisedAddress } from './advertise.ts';
import { Agent } from './agent.ts';
import { OwnCalledServices, type CalledServices } from './called-services.ts';
import { connectionsMax } from './connections-max.ts';
import { DnsCallees } from './dns-callees.ts';
import { AgentSteps, type RunnableProxy } from './drain-steps.ts';
import { Drain } from './drain.ts';
import { leaseTiming } from './lease-timing.ts';
import { describeInstance, newBootId, type Boot, type LocalService } from './local-service.ts';
import { warnIfUnreachable } from './reachability.ts';
import { Supervisor } from './supervisor.ts';
import { View } from './view.ts';

export interface BuildDeps {
  readonly logger: Logger;
  /** The environment that the supervised app gets. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The script that a worker runs, when there are workers. */
  readonly workerProgram: string;
}

/** Opens no socket and starts nothing. Rejects with a ConfigError for a registry URL that cannot be used. */
export async function buildAgent(config: Config, deps: BuildDeps): Promise<Agent> {
  const { logger } = deps;
  const startedAtMs = clock.nowMs();
  const boot = { bootId: newBootId(), startedAtMs: clock.wallMs() };

  const stores: SnapshotFiles[] = [];
  const members: RegistryMember[] = [];
  for (const { url, registers, discovers } of config.registries) {
    const named = { clock, random, logger: logger.child({ registry: redactUrl(url) }) };
    const driver = await openDriver(url, named);
    const store = buildStore(config, driver.url, named.logger);
    if (store !== undefined) stores.push(store);
    const registry = new Registry({ ...named, driver, ...(store && { store }) });
    members.push({ registry, registers, discovers });
  }
  const registries = new Registries(members, { combination: config.combination });
  const services = config.services.map((service) =>
    buildService(service, { config, registries, boot, logger }),
  );

  const upstreams = new Upstreams(
    { source: registries, clock, random, logger, prober: tcpProber },
    { policies: config.policies, defaultPolicy: config.defaultPolicy },
  );
  const { proxy, called, external }: Calling = await buildCalling(config, deps, {
    ...{ registries, upstreams },
    reservedPort: () => admin.address.port,
  });

  const supervisor = buildSupervisor(config, deps, {
    proxyUrl: () => proxy.url,
    adminUrl: () => admin.url,
  });
  const dns = await buildDns(config, upstreams, logger);
  const others = [...(dns ? [dns] : []), upstreams, ...external, registries, ...stores];
  const steps = new AgentSteps({ services, proxy, supervisor, others });
  const drain = new Drain(
    { clock, logger, steps },
    {
      delayMs: config.drain.delayMs ?? registries.propagationMs,
      timeoutMs: config.drain.timeoutMs,
    },
  );
  const view = new View(
    {
      ...{ registries, called, services, drain, clock },
      requestDrain: () => void agent.drain('request'),
    },
    {
      proxyUrl: () => (proxy.isListening ? proxy.url : null),
      adminUrl: () => admin.url,
      startedAtWallMs: boot.startedAtMs,
      startedAtMs,
      drainBudgetMs: config.drain.timeoutMs,
    },
  );
  const admin: AdminServer = new AdminServer(
    { view, logger, clock },
    { address: config.admin, ownHosts: config.ownHosts },
  );
  const agent: Agent = new Agent(
    {
      ...{ registries, upstreams, proxy, admin, services, supervisor, steps, drain, dns },
      ...{ prober: tcpProber, clock, logger },
    },
    { waitFor: config.waitFor },
  );
  return agent;
}

/** What carries the calls, and what can tell of them. */
interface Calling {
  readonly proxy: RunnableProxy;
  readonly called: CalledServices;
  readonly external: readonly ExternalUpstreams[];
}

interface CallingDeps {
  readonly registries: Registries;
  readonly upstreams: Upstreams;
  readonly reservedPort: () => number;
}

async function buildCalling(
  config: Config,
  { logger, workerProgram: program }: BuildDeps,
  { registries, upstreams, reservedPort }: CallingDeps,
): Promise<Calling> {
  const own = new OwnCalledServices({ registries, upstreams, clock });
  if (config.workers > 1) {
    const { buildWorkers } = await import('./workers/build-workers.ts');
    const workers = buildWorkers(config, { registries, own, logger, program, reservedPort });
    return { ...workers, external: [] };
  }
  const external = new ExternalUpstreams(
    { clock, random, logger, prober: tcpProber },
    { policy: config.defaultPolicy },
  );
  const isReservedPort = (port: number): boolean => port === reservedPort();
  const proxy = new Proxy(
    { services: upstreams, external, clock, random, logger, isReservedPort },
    { ...config, connectionsMax: connectionsMax() },
  );
  return { proxy, called: own, external: [external] };
}

function buildStore(
  config: Config,
  registryUrl: string,
  logger: Logger,
): SnapshotFiles | undefined {
  const { stateDirectory: directory } = config;
  if (directory === undefined) return undefined;
  return new SnapshotFiles({ clock, logger }, { directory, registryUrl });
}

interface ServiceDeps {
  readonly config: Config;
  readonly registries: Registries;
  readonly boot: Boot;
  readonly logger: Logger;
}

function buildService(service: ServiceConfig, deps: ServiceDeps): LocalService {
  const { config, registries, boot, logger } = deps;
  const address = advertisedAddress(service, registries.advertise);
  const instance = describeInstance(service, address, boot);
  const probes = service.probes.map((probe) => createProbe(probe, { port: service.port }));
  const health = new HealthCheck(
    { probes, clock, random, logger: logger.child({ service: service.name }) },
    service.health,
  );
  const leases = registries.leases(instance, (backend) => leaseTiming(config.lease, backend));
  if (leases.length === 0) {
    logger.info({ service: service.name }, 'no registry to register in: others make it known');
  }
  const registrar = new Registrar({ leases, health, logger }, { serviceName: service.name });
  const localService = { instance, port: service.port, health, leases, registrar };
  warnIfUnreachable(localService, tcpProber, logger);
  return localService;
}

/** Loads the server only when it is asked for. */
async function buildDns(
  { dns }: Config,
  upstreams: Upstreams,
  logger: Logger,
): Promise<DnsServer | undefined> {
  if (dns === undefined) return undefined;
  const { DnsServer } = await import('../dns/server.ts');
  return new DnsServer({ source: new DnsCallees(upstreams), clock, random, logger }, dns);
}

function buildSupervisor(
  config: Config,
  { logger, environment }: BuildDeps,
  urls: { readonly proxyUrl: () => string; readonly adminUrl: () => string },
): Supervisor | undefined {
  if (config.command.length === 0) return undefined;
  return new Supervisor({ clock, logger }, { argv: config.command, env: environment, ...urls });
}
