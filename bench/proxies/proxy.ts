// What the benchmark asks of each proxy: a command line that serves the origin's ports on one port of its own.

/** Where a proxy runs in this benchmark. */
export interface Place {
  /** The port on 127.0.0.1 where it takes requests. */
  readonly port: number;
  /** The ports on 127.0.0.1 of the instances. */
  readonly originPorts: readonly number[];
  /** A directory of its own, for its configuration. */
  readonly directory: string;
}

export interface Proxy {
  readonly name: string;
  /** Why it cannot run here; undefined when it can. */
  missing(): string | undefined;
  /** Writes its configuration and returns the program with its arguments. It must stay in the foreground and use one thread. */
  command(place: Place): readonly string[];
}
