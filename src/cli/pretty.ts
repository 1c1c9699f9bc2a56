// Log lines for people: time, level, message, then the fields as key=value.
import { printable } from './output.ts';

const colors: Readonly<Record<string, number>> = { error: 31, warn: 33, info: 32, debug: 2 };

/** One line of JSON as one line for people; what is no such line is left as it is. */
export function formatPretty(line: string, color: boolean): string {
  const record = parse(line);
  if (record === undefined) return line;
  const { level, time, msg, ...fields } = record;
  const name = String(level);
  const label = name.toUpperCase().padEnd(5);
  const code = colors[name];
  const paint = color && code !== undefined;
  const pairs = Object.entries(fields)
    .filter(([key]) => key !== 'stack')
    .map(([key, value]) => ` ${key}=${formatField(value)}`);
  const text = printable(`${String(msg)}${pairs.join('')}`);
  return `${formatTime(time)} ${paint ? `\u001b[${code}m${label}\u001b[0m` : label} ${text}\n`;
}

function parse(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const record: unknown = JSON.parse(line);
    return typeof record === 'object' && record !== null
      ? (record as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** The local time of the day, to the millisecond. */
function formatTime(time: unknown): string {
  const date = new Date(String(time));
  if (Number.isNaN(date.getTime())) return String(time);
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()]
    .map((part) => String(part).padStart(2, '0'))
    .join(':');
  return `${clock}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}

function formatField(value: unknown): string {
  if (typeof value !== 'string') return JSON.stringify(value);
  return /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
}
