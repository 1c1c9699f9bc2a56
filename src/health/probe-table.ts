// From a probe's configuration to the Probe: one line for each type.
import type { Address } from '../core/address.ts';
import type { Probe } from './probe.ts';
import { commandProbe } from './probes/command.ts';
import { grpcProbe } from './probes/grpc.ts';
import { httpProbe } from './probes/http.ts';
import { tcpProbe } from './probes/tcp.ts';

/** What each type of probe is configured with. */
interface ProbeSettings {
  readonly http: {
    /** A path on the app's port, or an absolute URL. */
    readonly target: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly expectBody?: string;
    readonly expectHeaders: Readonly<Record<string, string>>;
  };
  /** Without a target: the app's port. */
  readonly tcp: { readonly target?: Address };
  readonly command: { readonly argv: readonly string[] };
  readonly grpc: { readonly service: string };
}

type ProbeType = keyof ProbeSettings;

export type ProbeSpec<T extends ProbeType = ProbeType> = {
  [K in T]: { readonly type: K } & ProbeSettings[K];
}[T];

export interface LocalApp {
  /** The port that the app listens on, on the loopback address. */
  readonly port: number;
}

const appHost = '127.0.0.1';

const factories: { readonly [K in ProbeType]: (spec: ProbeSpec<K>, app: LocalApp) => Probe } = {
  http: ({ target, ...expectations }, { port }) =>
    httpProbe({
      ...expectations,
      url: target.startsWith('/') ? `http://${appHost}:${port}${target}` : target,
    }),
  tcp: ({ target }, { port }) => tcpProbe({ target: target ?? { host: appHost, port } }),
  command: ({ argv }) => commandProbe({ argv }),
  grpc: ({ service }, { port }) => grpcProbe({ target: { host: appHost, port }, service }),
};

/** Throws a ConfigError when the probe could never be sent. */
export function createProbe<T extends ProbeType>(spec: ProbeSpec<T>, app: LocalApp): Probe {
  return factories[spec.type](spec, app);
}
