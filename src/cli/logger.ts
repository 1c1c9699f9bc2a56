// The log of the agent: pino on stderr, behind the program's Logger, without secrets.
import { pino, stdTimeFunctions } from 'pino';
import type { Config } from '../config/config.ts';
import { isSecretName, redactText } from '../config/redact.ts';
import { systemCodeOf } from '../core/errors.ts';
import type { LogFields, Logger } from '../core/logger.ts';
import { LineWriter } from './line-writer.ts';
import { formatPretty } from './pretty.ts';

/**
 * Writes to stderr. A reader that stalls or is gone, or a full disk, costs lines of the log, never the agent; how many were lost is
 * logged. Every text in the fields is freed of secrets; messages are constant.
 */
export function createLogger({ level, format }: Config['log'], color: boolean): Logger {
  const stderr = new LineWriter(2, (lines) => {
    logger.warn({ lines }, 'the log was not read in time: lines were dropped');
  });
  const stream =
    format === 'json'
      ? stderr
      : { write: (line: string) => stderr.write(formatPretty(line, color)) };
  const logger: Logger = pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: {
        level: (label) => ({ level: label }),
        bindings: redactFields,
        log: redactFields,
      },
    },
    stream,
  );
  return logger;
}

/** Deeper values are not looked into, and not logged. */
const depthMax = 4;

export function redactFields(fields: LogFields): Record<string, unknown> {
  return redactObject(fields, 0);
}

function redactObject(fields: object, depth: number): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]: [string, unknown]) => [
      name,
      isSecretName(name) ? '***' : redactValue(value, depth + 1),
    ]),
  );
}

function redactValue(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return redactText(value);
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Error) {
    return { code: systemCodeOf(value), message: redactText(value.message) };
  }
  if (depth >= depthMax) return '…';
  if (Array.isArray(value)) return value.map((item) => redactValue(item, depth + 1));
  return redactObject(value, depth);
}
