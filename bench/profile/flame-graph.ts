// A flame graph as SVG: each function above the one that called it, as wide as the time that both needed.
import { textOf, type Frame, type Stack } from './cpu-profile.ts';

const width = 1400;
const line = 17;
const letter = 6.2;
/** Narrower ones are left out. */
const narrowest = 0.4;

interface Node {
  readonly frame: Frame;
  us: number;
  readonly children: Map<string, Node>;
}

export function flameGraph(stacks: readonly Stack[]): string {
  const all: Node = { frame: { name: 'all', place: '' }, us: 0, children: new Map() };
  for (const { frames, selfUs } of stacks) {
    let node = all;
    node.us += selfUs;
    for (const frame of frames) {
      const key = textOf(frame);
      const child = node.children.get(key) ?? { frame, us: 0, children: new Map() };
      node.children.set(key, child);
      child.us += selfUs;
      node = child;
    }
  }
  const height = Math.max(...stacks.map(({ frames }) => frames.length + 1)) * line;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="monospace" font-size="10">
${boxes(all, { x: 0, y: height - line, perUs: width / all.us, allUs: all.us })}</svg>
`;
}

interface Spot {
  readonly x: number;
  readonly y: number;
  readonly perUs: number;
  readonly allUs: number;
}

function boxes({ frame, us, children }: Node, { x, y, perUs, allUs }: Spot): string {
  const wide = us * perUs;
  if (wide < narrowest) return '';
  const share = ((us / allUs) * 100).toFixed(1);
  const label = frame.name.slice(0, Math.max(0, Math.floor((wide - 6) / letter)));
  const own = `<g><title>${escape(`${textOf(frame)}: ${share} %`)}</title>
<rect x="${x.toFixed(1)}" y="${y}" width="${wide.toFixed(1)}" height="${line - 1}" fill="${color(frame)}"/>
<text x="${(x + 3).toFixed(1)}" y="${y + 12}">${escape(label)}</text></g>
`;
  let childX = x;
  const above = [...children.values()]
    .sort((a, b) => textOf(a.frame).localeCompare(textOf(b.frame)))
    .map((child) => {
      const text = boxes(child, { x: childX, y: y - line, perUs, allUs });
      childX += child.us * perUs;
      return text;
    });
  return own + above.join('');
}

/** Own code, packages, Node's own JavaScript, and what is none. */
function color({ place }: Frame): string {
  if (place.startsWith('src/') || place.startsWith('dist/')) return '#f4a259';
  if (place.includes('node_modules/')) return '#f2d17c';
  return place.startsWith('node:') ? '#9bc1bc' : '#cfd2d6';
}

function escape(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
