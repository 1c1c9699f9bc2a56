// A plot as SVG: the CPU time of one request by proxy. Its colors can be read on light and on dark, as a page may be either.
import type { Row } from './rows.ts';

const left = 190;
const width = 540;
const right = 110;
const line = 30;
const top = 54;

export function plot(rows: readonly Row[], title: string): string {
  const proxies = rows.filter(({ median }) => median.cpuUs > 0);
  const sorted = [...proxies].sort((a, b) => a.median.cpuUs - b.median.cpuUs);
  const scale = width / Math.max(...sorted.map(({ median }) => median.cpuUs));
  const height = top + sorted.length * line + 4;
  const bars = sorted.map((row, index) => bar(row, top + index * line, scale));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${left + width + right} ${height}" role="img">
<title>${escape(title)}</title>
<style>
text { font: 13px system-ui, 'Segoe UI', sans-serif; fill: #6e7681; }
rect { fill: #848d97; }
.system { opacity: 0.45; }
.name { text-anchor: end; }
.title, .own text { font-weight: 600; }
.own text { fill: #2f81f7; }
.own rect { fill: #2f81f7; }
</style>
<text class="title" x="${left}" y="18">${escape(title)}</text>
<rect x="${left}" y="29" width="11" height="11"/><text x="${left + 17}" y="39">user</text>
<rect class="system" x="${left + 60}" y="29" width="11" height="11"/><text x="${left + 77}" y="39">system</text>
${bars.join('\n')}
</svg>
`;
}

function bar({ name, median, ofHaproxy }: Row, y: number, scale: number): string {
  const user = median.userUs * scale;
  const system = median.systemUs * scale;
  const ratio = name === 'HAProxy' ? NaN : (ofHaproxy?.cpuUs ?? NaN);
  const compared = Number.isNaN(ratio) ? '' : ` (${ratio.toFixed(2)} ×)`;
  return `<g${name.startsWith('Outrigger') ? ' class="own"' : ''}>
<text class="name" x="${left - 10}" y="${y + 15}">${escape(name)}</text>
<rect x="${left}" y="${y}" width="${round(user)}" height="20"/>
<rect class="system" x="${round(left + user)}" y="${y}" width="${round(system)}" height="20"/>
<text x="${round(left + user + system + 8)}" y="${y + 15}">${median.cpuUs.toFixed(1)}${compared}</text>
</g>`;
}

function round(value: number): string {
  return value.toFixed(1);
}

function escape(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
