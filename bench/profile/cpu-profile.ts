// Reads a CPU profile of V8: how long each stack was seen, with the places of the sources that were bundled.
import { existsSync, readFileSync } from 'node:fs';
import { SourceMap, type SourceMapPayload } from 'node:module';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What `node --cpu-prof` writes; times in µs of the monotonic clock. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: CallFrame;
    readonly children?: readonly number[];
  }[];
  readonly startTime: number;
  readonly samples: readonly number[];
  /** From the sample before. */
  readonly timeDeltas: readonly number[];
}

interface CallFrame {
  readonly functionName: string;
  readonly url: string;
  /** From 0. */
  readonly lineNumber: number;
  readonly columnNumber: number;
}

export interface Frame {
  readonly name: string;
  /** File and line; empty for what is no JavaScript. */
  readonly place: string;
}

/** A stack from its outermost function to the one that ran. */
export interface Stack {
  readonly frames: readonly Frame[];
  readonly selfUs: number;
}

const root = fileURLToPath(new URL('../..', import.meta.url));
const noWork = new Set(['(idle)', '(root)']);

/** The stacks that were seen within that time, without those of an idle process. */
export function stacksOf(
  profile: CpuProfile,
  { fromUs, toUs }: { readonly fromUs: number; readonly toUs: number },
): Stack[] {
  const selfUs = new Map<number, number>();
  let atUs = profile.startTime;
  profile.samples.forEach((id, index) => {
    atUs += profile.timeDeltas[index] ?? 0;
    // What was seen is what runs until the next look.
    const lastedUs = profile.timeDeltas[index + 1] ?? 0;
    if (atUs >= fromUs && atUs < toUs) selfUs.set(id, (selfUs.get(id) ?? 0) + lastedUs);
  });
  const parents = new Map(
    profile.nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)),
  );
  const places = new Places();
  const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, places.frame(callFrame)]));
  return [...selfUs].flatMap(([id, us]) => {
    const stack: Frame[] = [];
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
      const frame = frames.get(at);
      if (frame !== undefined && frame.name !== '(root)') stack.unshift(frame);
    }
    return noWork.has(stack.at(-1)?.name ?? '(root)') ? [] : [{ frames: stack, selfUs: us }];
  });
}

/** Functions by the time that they needed themselves, the most first; `share` is of all stacks. */
export function selfTimes(
  stacks: readonly Stack[],
): { readonly frame: Frame; readonly selfUs: number; readonly share: number }[] {
  const sums = new Map<string, { frame: Frame; selfUs: number }>();
  for (const { frames, selfUs } of stacks) {
    const frame = frames.at(-1) ?? { name: '', place: '' };
    const key = textOf(frame);
    sums.set(key, { frame, selfUs: (sums.get(key)?.selfUs ?? 0) + selfUs });
  }
  const allUs = stacks.reduce((sum, { selfUs }) => sum + selfUs, 0);
  return [...sums.values()]
    .sort((a, b) => b.selfUs - a.selfUs)
    .map((one) => ({ ...one, share: one.selfUs / allUs }));
}

/** One line for each stack, as flame graph programs read them. */
export function foldedStacks(stacks: readonly Stack[]): string {
  const lines = stacks.map(({ frames, selfUs }) => {
    return `${frames.map((frame) => textOf(frame).replaceAll(';', ',')).join(';')} ${selfUs}\n`;
  });
  return lines.join('');
}

export function textOf({ name, place }: Frame): string {
  return place === '' ? name : `${name} ${place}`;
}

/** Names the places of functions, through the source map where a file has one. */
class Places {
  readonly #maps = new Map<string, SourceMap | undefined>();

  frame({ functionName, url, lineNumber, columnNumber }: CallFrame): Frame {
    const name = functionName === '' ? '(anonymous)' : functionName;
    if (!url.startsWith('file:')) return { name, place: url && `${url}:${lineNumber + 1}` };
    const file = fileURLToPath(url);
    const entry = this.#mapOf(file)?.findEntry(lineNumber, columnNumber);
    if (entry === undefined || !('originalSource' in entry)) {
      return { name, place: `${relative(root, file)}:${lineNumber + 1}` };
    }
    const source = entry.originalSource.replace(/^(\.\.\/)+/, '');
    return { name, place: `${source}:${entry.originalLine + 1}` };
  }

  #mapOf(file: string): SourceMap | undefined {
    const path = `${file}.map`;
    if (!this.#maps.has(file)) {
      const map = existsSync(path)
        ? new SourceMap(JSON.parse(readFileSync(path, 'utf8')) as SourceMapPayload)
        : undefined;
      this.#maps.set(file, map);
    }
    return this.#maps.get(file);
  }
}
