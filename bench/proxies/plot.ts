// A plot as SVG: the CPU time of one request by proxy, which reads well on light and on dark.
import type { Row } from './report.ts';

const left = 190;
const width = 560;
const line = 30;
const top = 50;

export function plot(rows: readonly Row[], title: string): string {
  const proxies = rows.filter(({ median }) => median.cpuUs > 0);
  const sorted = [...proxies].sort((a, b) => a.median.cpuUs - b.median.cpuUs);
  const scale = width / Math.max(...sorted.map(({ median }) => median.cpuUs));
  const height = top + sorted.length * line + 10;
  const bars = sorted.map(({ name, median: { userUs, systemUs, cpuUs } }, index) => {
    const y = top + index * line;
    const user = userUs * scale;
    const system = systemUs * scale;
    const own = name.startsWith('Outrigger') ? ' own' : '';
    return `<text class="name" x="${left - 10}" y="${y + 15}">${escape(name)}</text>
<rect class="user${own}" x="${left}" y="${y}" width="${round(user)}" height="20"/>
<rect class="system${own}" x="${round(left + user)}" y="${y}" width="${round(system)}" height="20"/>
<text x="${round(left + user + system + 8)}" y="${y + 15}">${cpuUs.toFixed(1)}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${left + width + 60} ${height}" role="img">
<title>${escape(title)}</title>
<style>
text { font: 13px system-ui, sans-serif; fill: #1f2328; }
.title { font-weight: 600; }
.name { text-anchor: end; }
.user { fill: #8c959f; }
.system { fill: #c9d1d9; }
.user.own { fill: #0969da; }
.system.own { fill: #80b8f5; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; }
.user { fill: #8b949e; }
.system { fill: #484f58; }
.user.own { fill: #388bfd; }
.system.own { fill: #1f4b8f; }
}
</style>
<text class="title" x="${left}" y="18">${escape(title)}</text>
<rect class="user" x="${left}" y="27" width="10" height="10"/><text x="${left + 15}" y="37">user</text>
<rect class="system" x="${left + 60}" y="27" width="10" height="10"/><text x="${left + 75}" y="37">system</text>
${bars.join('\n')}
</svg>
`;
}

function round(value: number): string {
  return value.toFixed(1);
}

function escape(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
