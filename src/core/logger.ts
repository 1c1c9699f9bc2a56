// What the program logs through; the composition root binds it to a library.

export type LogFields = Readonly<Record<string, unknown>>;

/**
 * Constant message, variable fields. `error`: a person must act. `warn`: degraded, healing by itself.
 * `info`: transitions of the life cycle. `debug`: single requests and beats.
 */
export interface Logger {
  error(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  debug(fields: LogFields, message: string): void;
  child(fields: LogFields): Logger;
}

const nothing = (): void => undefined;

/** Logs nothing; for commands that only ask, and for tests. */
export const silentLogger: Logger = {
  error: nothing,
  warn: nothing,
  info: nothing,
  debug: nothing,
  child: () => silentLogger,
};
