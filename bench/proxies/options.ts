// What a run of the benchmark is to measure: its command line, and the table of the proxies.
import { parseArgs } from 'node:util';
import { caddy } from './caddy.ts';
import { envoy } from './envoy.ts';
import { fastify } from './fastify.ts';
import { haproxy } from './haproxy.ts';
import { httpProxy } from './http-proxy.ts';
import { nginx } from './nginx.ts';
import { outrigger, outriggerGeneral, outriggerOn } from './outrigger.ts';
import type { Proxy } from './proxy.ts';
import { traefik } from './traefik.ts';
import { workloadNamed, workloads } from './workloads.ts';

export interface Plan {
  /** Of workloads. */
  readonly names: readonly string[];
  readonly rounds: number;
  /** Of one run at saturation. */
  readonly seconds: number;
  /** Numbers of instances, each with proxies of its own. */
  readonly instances: readonly number[];
  readonly wanted: readonly Proxy[];
}

export interface Options {
  readonly plan: Plan;
  /** Versions of Node to run Outrigger on. */
  readonly nodeVersions: readonly string[];
  readonly install: boolean;
  readonly json: string | undefined;
  readonly svg: string | undefined;
}

const proxies = [
  haproxy,
  nginx,
  envoy,
  traefik,
  caddy,
  httpProxy,
  fastify,
  outrigger,
  outriggerGeneral,
];
/** Together with 4 rounds of 1 s, about six minutes with all proxies. */
const usual = 'small-64,small-1,post-1k,large-10m,rate-1000';

/** Throws for what is none of the options or of their values. */
export function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      workload: { type: 'string', default: usual },
      rounds: { type: 'string', default: '4' },
      seconds: { type: 'string', default: '1' },
      instances: { type: 'string', default: '2' },
      proxy: { type: 'string' },
      node: { type: 'string' },
      json: { type: 'string' },
      svg: { type: 'string' },
      install: { type: 'boolean', default: false },
    },
  });
  const names = values.workload === 'all' ? [...workloads.keys()] : values.workload.split(',');
  names.forEach(workloadNamed);
  const nodeVersions = values.node?.split(',') ?? [];
  const plan: Plan = {
    names,
    rounds: count(values.rounds),
    seconds: count(values.seconds),
    instances: [...new Set(values.instances.split(',').map(count))],
    wanted: chosen(values.proxy, nodeVersions),
  };
  return { plan, nodeVersions, install: values.install, json: values.json, svg: values.svg };
}

function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`"${text}" is no number from 1 up`);
  return value;
}

/** All, or those that were named; with versions of Node only HAProxy beside Outrigger on each of them. */
function chosen(names: string | undefined, versions: readonly string[]): readonly Proxy[] {
  const parts = names?.toLowerCase().split(',') ?? (versions.length > 0 ? ['haproxy'] : undefined);
  const named = proxies.filter(({ name }) => parts?.includes(name.toLowerCase()) ?? true);
  return [...named, ...versions.map(outriggerOn)];
}
