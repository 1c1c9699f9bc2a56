// Connections without a server: a test answers the commands and ends the connections.
import type {
  OpenPort,
  PortEvents,
  RedisPort,
} from '../../../../src/registry/drivers/redis/redis-port.ts';

type Answer = (name: string, args: readonly string[]) => Promise<unknown>;

export class FakePort implements RedisPort {
  readonly events: PortEvents;
  readonly commands: string[] = [];
  closed = false;
  answer: Answer = () => Promise.resolve('OK');

  constructor(events: PortEvents) {
    this.events = events;
  }

  command(name: string, args: readonly string[]): Promise<unknown> {
    this.commands.push(name);
    return this.answer(name, args);
  }

  async subscribe(channel: string): Promise<void> {
    await this.command(`SUBSCRIBE ${channel}`, []);
  }

  async unsubscribe(channel: string): Promise<void> {
    await this.command(`UNSUBSCRIBE ${channel}`, []);
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

/** Opens a FakePort each time; `refuse` makes the next attempts fail. */
export class FakeServer {
  readonly ports: FakePort[] = [];
  attempts = 0;
  refuse: Error | undefined;
  /** Attempts neither succeed nor fail until their signal aborts. */
  silent = false;

  readonly open: OpenPort = async (events, signal) => {
    this.attempts++;
    if (this.silent) {
      await new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          reject(new Error('aborted'));
        });
      });
    }
    if (this.refuse !== undefined) throw this.refuse;
    const port = new FakePort(events);
    this.ports.push(port);
    return port;
  };

  /** The connection that was made last. */
  get port(): FakePort {
    const port = this.ports.at(-1);
    if (port === undefined) throw new Error('no connection was made');
    return port;
  }
}

export const forever = new Promise<never>(() => undefined);

export function replyError(message: string): Error {
  const error = new Error(message);
  error.name = 'ReplyError';
  return error;
}
